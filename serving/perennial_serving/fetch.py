"""Brings an artifact from storage into the pod and proves that it is the one that was trained."""

import errno
import logging
import os
import re
import shutil
import time
from pathlib import Path

from perennial_artifact import exits, manifest, uri
from perennial_artifact.exits import Failure

PARTIAL = ".partial"  # inside the target, because the target is a mount point and can't be renamed onto
CHUNK_BYTES = 4 * 1024 * 1024
REPORT_EVERY_SECONDS = 5.0
log = logging.getLogger(__name__)


def fetch(source_uri: str, digest: str, target: Path, mounts: Path = uri.MOUNTS) -> None:
    """Copies the artifact at a pvc or file URI to `target` and verifies it there.

    `target` holds a manifest, without which nothing is served, only when the whole artifact is there.
    Raises Failure.
    """
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        raise Failure(
            "InvalidDigest",
            f"the digest {digest!r} is not sha256: and 64 hex digits",
            exits.BAD_CONFIGURATION,
        )
    source = _locate(source_uri, mounts)
    try:
        _fetch(source, digest, target)
    except ValueError as error:  # TamperedArtifact, or a link where a file should be
        message = f"the artifact at {source_uri} is not the one that was trained: {error}"
        raise Failure("DigestMismatch", message, exits.BAD_DATA) from None
    except OSError as error:
        raise _storage_failure(source_uri, target, error) from error


def _locate(source_uri: str, mounts: Path) -> Path:
    try:
        scheme = uri.parse(source_uri).scheme
        source = uri.local_path(source_uri, mounts)
    except ValueError as error:
        raise Failure("InvalidUri", str(error), exits.BAD_CONFIGURATION) from None
    if scheme not in ("pvc", "file"):
        message = f"an artifact can't come from {source_uri!r}; use {uri.FORMS['pvc']} or {uri.FORMS['file']}"
        raise Failure("InvalidUri", message, exits.BAD_CONFIGURATION)
    if not (source / manifest.NAME).is_file():
        message = f"there is no artifact at {source_uri}: {source / manifest.NAME} does not exist"
        raise Failure("ArtifactNotFound", message, exits.MISSING_INPUT)
    return source


def _fetch(source: Path, digest: str, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    if _is_there(target, digest):
        log.info("%s already holds the artifact %s", target, digest)
        return
    _clear(source, target)
    partial = target / PARTIAL
    try:
        _copy(source, partial)
        manifest.verify(partial, digest)
        _publish(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    log.info("%s holds the artifact %s, verified", target, digest)


def _is_there(target: Path, digest: str) -> bool:
    try:
        manifest.verify(target, digest)
    except manifest.TamperedArtifact:
        return False
    return True


def _clear(source: Path, target: Path) -> None:
    """Removes an earlier, half or other artifact; a folder with anything else in it is left alone."""
    ours = {PARTIAL, *(path.name for path in source.iterdir())}
    found = sorted(target.iterdir(), key=lambda path: path.name != manifest.NAME)  # the manifest goes first
    if strangers := sorted(path.name for path in found if path.name not in ours):
        message = f"{target} holds {strangers[0]!r}, which is of no artifact; give an empty folder"
        raise Failure("TargetNotEmpty", message, exits.BAD_CONFIGURATION)
    for path in found:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _copy(source: Path, partial: Path) -> None:
    progress = _Progress(manifest.size(source))  # ValueError for links and devices
    partial.mkdir()
    for path in sorted(source.rglob("*")):
        place = partial / path.relative_to(source)
        if path.is_dir():
            place.mkdir()
        else:
            _copy_file(path, place, progress)


def _copy_file(origin: Path, place: Path, progress: "_Progress") -> None:
    with origin.open("rb") as reader, place.open("wb") as writer:
        while chunk := reader.read(CHUNK_BYTES):
            writer.write(chunk)
            progress.add(len(chunk))
    modified = origin.stat().st_mtime
    os.utime(place, (modified, modified))


def _publish(partial: Path, target: Path) -> None:
    """Moves the verified files into place, the manifest last: with it, the artifact is whole."""
    for path in sorted(partial.iterdir(), key=lambda path: path.name == manifest.NAME):
        if path.name == manifest.NAME:
            os.sync()
        path.rename(target / path.name)


class _Progress:
    """Logs how much has been copied, at most every few seconds."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._reported = time.monotonic()

    def add(self, count: int) -> None:
        self._done += count
        if time.monotonic() - self._reported >= REPORT_EVERY_SECONDS:
            self._reported = time.monotonic()
            log.info("copied %.1f of %.1f MiB", self._done / 2**20, self._total / 2**20)


def _storage_failure(source_uri: str, target: Path, error: OSError) -> Failure:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        message = f"{target} is too small for the artifact at {source_uri}; give the pod more ephemeral storage"
        return Failure("StorageFull", message, exits.TEMPORARY)
    return Failure("StorageError", f"{source_uri} can't be copied to {target}: {error}", exits.TEMPORARY)
