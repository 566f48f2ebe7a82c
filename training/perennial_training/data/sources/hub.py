"""Data files in a dataset repository of the Hugging Face hub."""

from pathlib import Path
from typing import TYPE_CHECKING

from perennial_contract import uri
from perennial_contract.exits import MISSING_INPUT, Failure
from perennial_contract.report import Report
from perennial_contract.storage.credentials import Credentials
from perennial_contract.storage.room import check_room
from perennial_training import hub
from perennial_training.data.sources.listing import existing

if TYPE_CHECKING:
    from huggingface_hub import HfApi


def fetch(source: str, secret: Credentials | None, folder: Path, report: Report) -> dict[str, Path]:
    """Downloads the files of an hf://datasets/ URI into `folder`; each by its URI. Raises exits.Failure.

    All files come from one commit, even if another one is pushed meanwhile.
    """
    from huggingface_hub import HfApi

    location = uri.parse(source)
    name, _, revision = location.name.replace("%2F", "/").partition("@")
    api = HfApi(token=hub.token(secret))
    with hub.explained(source, revision or "main"):
        commit, sizes = _listing(api, name, revision or None)
    paths = sorted(filter(uri.wanted(location.path).fullmatch, sizes))
    if not paths:
        raise Failure("InputNotFound", f"{source} doesn't exist{existing(sorted(sizes))}", MISSING_INPUT)
    check_room(source, sum(sizes[path] for path in paths), folder)
    files = {}
    for path in paths:
        uri.safe_path(folder, path)
        pinned = f"hf://datasets/{name}@{commit}/{path}"
        report(f"downloading {pinned}: {sizes[path]:,} bytes")
        with hub.explained(source, commit):
            local = api.hf_hub_download(name, path, repo_type="dataset", revision=commit, local_dir=folder)
        files[pinned] = Path(local)
    return files


def _listing(api: "HfApi", name: str, revision: str | None) -> tuple[str, dict[str, int]]:
    """The commit of a revision, and the size in bytes of each file."""
    from huggingface_hub.hf_api import RepoFile

    commit = str(api.dataset_info(name, revision=revision).sha)
    entries = api.list_repo_tree(name, repo_type="dataset", revision=commit, recursive=True)
    return commit, {entry.path: entry.size for entry in entries if isinstance(entry, RepoFile)}
