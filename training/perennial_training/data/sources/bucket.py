"""Data files in S3."""

from pathlib import Path

from perennial_contract import uri
from perennial_contract.exits import MISSING_INPUT, Failure
from perennial_contract.storage.credentials import Credentials
from perennial_contract.storage.s3 import Store
from perennial_training.data.sources import Say, there


def fetch(source: str, secret: Credentials | None, folder: Path, say: Say) -> dict[str, Path]:
    """Downloads what an s3:// URI names into `folder`; by the URI of each object. Raises exits.Failure."""
    path = uri.parse(source).path
    store = Store(f"s3://{uri.parse(source).name}", secret)
    above = path.partition("*")[0]
    pattern = uri.wanted(path)
    sizes = {key: size for key, size in sorted(store.sizes(above).items()) if pattern.fullmatch(key)}
    if not sizes:
        raise Failure("InputNotFound", f"{source} doesn't exist{_inside(store, above)}", MISSING_INPUT)
    say(f"downloading {source}: {len(sizes):,} files, {sum(sizes.values()):,} bytes")
    store.download(sizes, folder, say)
    return {f"{store.uri}/{key}": folder / key for key in sizes}


def _inside(store: Store, path: str) -> str:
    """What is beside a misspelt name."""
    folder = path.rpartition("/")[0]
    return there(sorted(store.sizes(f"{folder}/" if folder else "")))
