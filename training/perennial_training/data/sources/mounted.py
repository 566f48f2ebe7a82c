"""Data files in the pod: a claim, a ConfigMap, or a file of the image."""

from pathlib import Path

from perennial_contract import uri
from perennial_contract.exits import MISSING_INPUT, Failure
from perennial_training.data.sources.listing import existing


def fetch(source: str, mounts: Path) -> dict[str, Path]:
    path = uri.local_path(source, mounts)
    if path.is_dir():
        raise Failure("InputNotFound", f"{source} is a folder; name a file in it{_inside(path)}", MISSING_INPUT)
    if not path.is_file():
        raise Failure("InputNotFound", f"{source} doesn't exist{_inside(path.parent)}", MISSING_INPUT)
    return {source: path}


def _inside(folder: Path) -> str:
    """The files of a folder, to make a misspelled name obvious."""
    if not folder.is_dir():
        return ""
    return existing(sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith(".")))
