"""From the URI of training data to local files: one module per place where data can be."""

from pathlib import Path

from perennial_contract import uri
from perennial_contract.report import Report
from perennial_contract.storage import credentials
from perennial_training.data.sources import mounted
from perennial_training.data.sources.protocol import Source


def fetch(source: str, mounts: Path, folder: Path, report: Report, secret_name: str | None = None) -> dict[str, Path]:
    """The local files of a data URI, each by the name that a person knows it by. Raises exits.Failure.

    Remote data is downloaded into `folder` first, with the credentials of the Secret, if one is named. A path that ends
    in "/" or contains a `*` yields several files, in the order of their names.
    """
    scheme = uri.parse(source).scheme
    if scheme in ("pvc", "configmap", "file"):
        return mounted.fetch(source, mounts)
    return _remote(scheme).fetch(source, credentials.mounted(secret_name, mounts), folder, report)


def _remote(scheme: str) -> Source:
    """Imported only where needed: their clients take a while to load."""
    match scheme:
        case "https":
            from perennial_training.data.sources import https

            return https
        case "s3":
            from perennial_training.data.sources import bucket

            return bucket
        case "hf":
            from perennial_training.data.sources import hub

            return hub
    raise ValueError(f"{scheme}:// is not a source of data")
