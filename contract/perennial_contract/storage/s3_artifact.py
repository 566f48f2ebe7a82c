"""An artifact in S3. S3 renames nothing, so that the manifest goes last when it comes and first when it goes:
what has no manifest is no artifact.
"""

from pathlib import Path
from typing import Any

from perennial_contract import manifest
from perennial_contract.exits import MISSING_INPUT, Failure
from perennial_contract.manifest import TamperedArtifact
from perennial_contract.report import Report
from perennial_contract.storage.s3 import Store
from perennial_contract.uri import safe_path


def read(store: Store, digest: str | None) -> tuple[dict[str, Any], bytes]:
    """The manifest of the artifact, whose digest must be `digest` if that is given; and its bytes.

    Raises TamperedArtifact, or exits.Failure where there is none.
    """
    content = store.read(manifest.NAME)
    if content is None:
        message = f"there is no artifact at {store.uri}: {manifest.NAME} does not exist"
        raise Failure("ArtifactNotFound", message, MISSING_INPUT)
    return manifest.parse(content, digest, store.uri), content


def download(store: Store, folder: Path, digest: str | None, report: Report) -> None:
    """Brings the files of the artifact into `folder`, and its manifest last; what an earlier try brought stays.

    The caller verifies the folder. Raises TamperedArtifact, or exits.Failure.
    """
    facts, content = read(store, digest)
    missing = _missing(folder, facts["files"])
    sizes = store.sizes()
    for name in missing:
        if name not in sizes:
            raise TamperedArtifact(f"{name} is missing in {store.uri}; expected {facts['files'][name]}")
    store.download({name: sizes[name] for name in missing}, folder, report)
    (folder / manifest.NAME).write_bytes(content)


def _missing(folder: Path, files: dict[str, str]) -> list[str]:
    """The files that the folder lacks; all that is none of them (half a file, a manifest) is removed from it."""
    there = {safe_path(folder, name): name for name in files}
    for path in list(folder.rglob("*")):
        if path.is_file() and (path not in there or manifest.digest_of_file(path) != files[there[path]]):
            path.unlink()
    return [name for path, name in there.items() if not path.exists()]
