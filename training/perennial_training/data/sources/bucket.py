"""Data files in S3."""

from pathlib import Path

from perennial_contract import uri
from perennial_contract.exits import MISSING_INPUT, Failure
from perennial_contract.report import Report
from perennial_contract.storage.credentials import Credentials
from perennial_contract.storage.s3 import Store
from perennial_training.data.sources.listing import existing


def fetch(source: str, secret: Credentials | None, folder: Path, report: Report) -> dict[str, Path]:
    """Downloads the objects of an s3:// URI into `folder`; each by its URI. Raises exits.Failure."""
    path = uri.parse(source).path
    store = Store(f"s3://{uri.parse(source).name}", secret)
    above = path.partition("*")[0]
    pattern = uri.wanted(path)
    sizes = {key: size for key, size in sorted(store.sizes(above).items()) if pattern.fullmatch(key)}
    if not sizes:
        raise Failure("InputNotFound", f"{source} doesn't exist{_inside(store, above)}", MISSING_INPUT)
    report(f"downloading {source}: {len(sizes):,} files, {sum(sizes.values()):,} bytes")
    store.download(sizes, folder, report)
    return {f"{store.uri}/{key}": folder / key for key in sizes}


def _inside(store: Store, path: str) -> str:
    """The keys beside a misspelled name."""
    folder = path.rpartition("/")[0]
    return existing(sorted(store.sizes(f"{folder}/" if folder else "")))
