"""A copy in S3 of a work folder that is lost with its pod; the next pod resumes from it."""

from pathlib import Path

from perennial_contract import manifest
from perennial_contract.exits import Failure
from perennial_contract.report import Report
from perennial_contract.storage.s3 import Store


class Mirror:
    """Copies of the complete folders in `work` (see checkpoints), by their names below a URI.

    The manifest of a folder is uploaded last and deleted first, so that an incomplete copy has none.
    """

    def __init__(self, work: Path, store: Store, report: Report) -> None:
        self.work = work
        self.store = store
        self.report = report
        self._copies: dict[str, str] = {}  # digest of the manifest by name of the folder

    def pull(self) -> None:
        """Downloads the complete folders into `work`. Raises exits.Failure."""
        sizes = self.store.sizes()
        complete = {key.partition("/")[0] for key in sizes if key.endswith(f"/{manifest.NAME}")}
        files = {key: size for key, size in sizes.items() if key.partition("/")[0] in complete}
        if files:
            self.report(f"fetching {', '.join(sorted(complete))} from {self.store.uri}")
            self.store.download(files, self.work, self.report)
        self._copies = self._originals()

    def push(self) -> None:
        """Uploads new folders and deletes old copies. A failure is reported and retried at the next checkpoint."""
        try:
            self._push()
        except Failure as failure:
            self.report(f"{failure.reason}: {failure.message}; the training continues, and the next checkpoint retries")

    def _push(self) -> None:
        originals = self._originals()
        new = [name for name, digest in originals.items() if self._copies.get(name) != digest]
        for name in sorted(new, key=lambda name: name.startswith("checkpoint-")):  # last, as it needs the others
            self._delete(name)
            self._upload(name)
            self._copies[name] = originals[name]
            self.report(f"{name} is copied to {self.store.uri}")
        for name in self._copies.keys() - originals.keys():
            self._delete(name)
            del self._copies[name]

    def _originals(self) -> dict[str, str]:
        folders = sorted(path.parent for path in self.work.glob(f"*/{manifest.NAME}"))
        return {folder.name: manifest.digest_of(folder) for folder in folders}

    def _upload(self, name: str) -> None:
        folder = self.work / name
        files = {f"{name}/{path.relative_to(folder).as_posix()}": path for path in folder.rglob("*") if path.is_file()}
        last = f"{name}/{manifest.NAME}"
        self.store.upload({key: path for key, path in files.items() if key != last}, self.report)
        self.store.upload({last: files[last]}, self.report)

    def _delete(self, name: str) -> None:
        keys = self.store.sizes(f"{name}/")
        self.store.delete(key for key in keys if key == f"{name}/{manifest.NAME}")
        self.store.delete(keys)
