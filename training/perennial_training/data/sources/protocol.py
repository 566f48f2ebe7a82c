"""What a remote source of data must offer; each is a module with these functions."""

from pathlib import Path
from typing import Protocol

from perennial_contract.report import Report
from perennial_contract.storage.credentials import Credentials


class Source(Protocol):
    def fetch(self, source: str, secret: Credentials | None, folder: Path, report: Report, /) -> dict[str, Path]:
        """Downloads `source` into `folder`; the files by the name of their origin. Raises exits.Failure."""
        ...
