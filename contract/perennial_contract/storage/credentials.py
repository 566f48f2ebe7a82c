"""Where a pod finds what a Secret of its namespace holds: one file for each key, mounted read-only."""

from dataclasses import dataclass
from pathlib import Path

from perennial_contract.exits import BAD_CONFIGURATION, MISSING_INPUT, Failure
from perennial_contract.pod import SECRETS


@dataclass(frozen=True)
class Credentials:
    """A mounted Secret. Its files are read at each use, as the kubelet replaces them when the Secret changes."""

    name: str
    folder: Path

    def get(self, key: str) -> str | None:
        """The value of a key, without the line end that `echo` adds; None if the Secret lacks it."""
        try:
            return (self.folder / key).read_text().strip() or None
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            raise Failure("BadCredentials", f"{key} of the Secret {self.name} is not text", BAD_CONFIGURATION) from None

    def file(self, key: str) -> Path | None:
        """The file of a key, for what is named by its path; None if the Secret lacks it."""
        path = self.folder / key
        return path if path.is_file() else None


def mounted(name: str | None, mounts: Path) -> Credentials | None:
    """The Secret of this name below `mounts`/secrets; None for no name. Raises exits.Failure."""
    if name is None:
        return None
    folder = mounts / SECRETS / name
    if not folder.is_dir():
        raise Failure("SecretNotMounted", f"the Secret {name} is not mounted at {folder}", MISSING_INPUT)
    return Credentials(name, folder)
