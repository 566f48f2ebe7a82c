"""An artifact in a folder of the pod: a mounted claim."""

import logging
import os
import shutil
import time
from pathlib import Path

from perennial_contract import manifest

CHUNK_BYTES = 4 * 1024 * 1024
REPORT_EVERY_SECONDS = 5.0
log = logging.getLogger(__name__)


class FolderSource:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> set[str]:
        return {path.name for path in self._folder.iterdir()}

    def copy(self, partial: Path) -> None:
        """Starts from scratch: a local copy is not worth resuming."""
        shutil.rmtree(partial, ignore_errors=True)
        progress = _Progress(manifest.size(self._folder))  # ValueError for links and devices
        partial.mkdir()
        for path in sorted(self._folder.rglob("*")):
            copy = partial / path.relative_to(self._folder)
            if path.is_dir():
                copy.mkdir()
            else:
                _copy_file(path, copy, progress)


def _copy_file(original: Path, copy: Path, progress: "_Progress") -> None:
    with original.open("rb") as reader, copy.open("wb") as writer:
        while chunk := reader.read(CHUNK_BYTES):
            writer.write(chunk)
            progress.add(len(chunk))
    modified = original.stat().st_mtime
    os.utime(copy, (modified, modified))


class _Progress:
    """Logs the progress, at most every few seconds."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._reported = time.monotonic()

    def add(self, count: int) -> None:
        self._done += count
        if time.monotonic() - self._reported >= REPORT_EVERY_SECONDS:
            self._reported = time.monotonic()
            log.info("copied %.1f of %.1f MiB", self._done / 2**20, self._total / 2**20)
