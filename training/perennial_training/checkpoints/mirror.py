"""A copy in S3 of a work folder that dies with its pod: from it the next pod goes on."""

from pathlib import Path

from perennial_contract import manifest
from perennial_contract.exits import Failure
from perennial_contract.report import Report
from perennial_contract.storage.s3 import Store


class Mirror:
    """Copies of the whole folders in `work` (see checkpoints), under their names below a URI.

    In S3 as on disk a folder's manifest comes last and goes first, so that what is torn is never used.
    """

    def __init__(self, work: Path, store: Store, report: Report) -> None:
        self.work = work
        self.store = store
        self.report = report
        self._there: dict[str, str] = {}  # name of a folder, and the digest of its manifest

    def pull(self) -> None:
        """Brings the whole folders into `work`. Raises exits.Failure."""
        sizes = self.store.sizes()
        whole = {key.partition("/")[0] for key in sizes if key.endswith(f"/{manifest.NAME}")}
        wanted = {key: size for key, size in sizes.items() if key.partition("/")[0] in whole}
        if wanted:
            self.report(f"fetching {', '.join(sorted(whole))} from {self.store.uri}")
            self.store.download(wanted, self.work, self.report)
        self._there = self._here()

    def push(self) -> None:
        """Sends new folders and deletes old ones. A failure is reported and retried at the next checkpoint."""
        try:
            self._push()
        except Failure as failure:
            self.report(f"{failure.reason}: {failure.message}; the training goes on, the next checkpoint is sent again")

    def _push(self) -> None:
        here = self._here()
        new = [name for name, digest in here.items() if self._there.get(name) != digest]
        for name in sorted(new, key=lambda name: name.startswith("checkpoint-")):  # last, as it wants the others
            self._drop(name)
            self._send(name)
            self._there[name] = here[name]
            self.report(f"{name} is kept at {self.store.uri}")
        for name in self._there.keys() - here.keys():
            self._drop(name)
            del self._there[name]

    def _here(self) -> dict[str, str]:
        folders = sorted(path.parent for path in self.work.glob(f"*/{manifest.NAME}"))
        return {folder.name: manifest.digest_of(folder) for folder in folders}

    def _send(self, name: str) -> None:
        folder = self.work / name
        files = {f"{name}/{path.relative_to(folder).as_posix()}": path for path in folder.rglob("*") if path.is_file()}
        last = f"{name}/{manifest.NAME}"
        self.store.upload({key: path for key, path in files.items() if key != last}, self.report)
        self.store.upload({last: files[last]}, self.report)

    def _drop(self, name: str) -> None:
        keys = self.store.sizes(f"{name}/")
        self.store.delete(key for key in keys if key == f"{name}/{manifest.NAME}")
        self.store.delete(keys)
