"""Data files in a dataset repository of the Hugging Face hub."""

from pathlib import Path
from typing import TYPE_CHECKING

from perennial_contract import uri
from perennial_contract.exits import MISSING_INPUT, Failure
from perennial_contract.storage.credentials import Credentials
from perennial_training import hub
from perennial_training.data.sources import Say, check_room, there

if TYPE_CHECKING:
    from huggingface_hub import HfApi


def fetch(source: str, secret: Credentials | None, folder: Path, say: Say) -> dict[str, Path]:
    """Downloads what an hf://datasets/ URI names into `folder`; by the URI of each file. Raises exits.Failure.

    All files are of one commit, whatever is pushed meanwhile.
    """
    from huggingface_hub import HfApi

    location = uri.parse(source)
    name, _, revision = location.name.replace("%2F", "/").partition("@")
    api = HfApi(token=hub.token(secret))
    with hub.explained(source, revision or "main"):
        commit, sizes = _listing(api, name, revision or None)
    wanted = sorted(filter(uri.wanted(location.path).fullmatch, sizes))
    if not wanted:
        raise Failure("InputNotFound", f"{source} doesn't exist{there(sorted(sizes))}", MISSING_INPUT)
    check_room(source, sum(sizes[path] for path in wanted), folder)
    found = {}
    for path in wanted:
        uri.safe_path(folder, path)
        pinned = f"hf://datasets/{name}@{commit}/{path}"
        say(f"downloading {pinned}: {sizes[path]:,} bytes")
        with hub.explained(source, commit):
            local = api.hf_hub_download(name, path, repo_type="dataset", revision=commit, local_dir=folder)
        found[pinned] = Path(local)
    return found


def _listing(api: "HfApi", name: str, revision: str | None) -> tuple[str, dict[str, int]]:
    """The commit that a revision is now, and the bytes of each of its files."""
    from huggingface_hub.hf_api import RepoFile

    commit = str(api.dataset_info(name, revision=revision).sha)
    entries = api.list_repo_tree(name, repo_type="dataset", revision=commit, recursive=True)
    return commit, {entry.path: entry.size for entry in entries if isinstance(entry, RepoFile)}
