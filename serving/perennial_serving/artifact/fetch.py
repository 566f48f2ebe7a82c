"""Brings an artifact from storage into the pod and proves that it is the one that was trained."""

import errno
import logging
import os
import re
import shutil
import time
from pathlib import Path

from perennial_contract import exits, manifest, pod, uri
from perennial_contract.exits import Failure
from perennial_contract.storage import credentials
from perennial_contract.storage.credentials import Credentials

PARTIAL = ".partial"  # inside the target, because the target is a mount point and can't be renamed onto
CHUNK_BYTES = 4 * 1024 * 1024
REPORT_EVERY_SECONDS = 5.0
log = logging.getLogger(__name__)


def fetch(source_uri: str, digest: str, target: Path, mounts: Path = pod.MOUNTS, secret: str | None = None) -> None:
    """Copies the artifact at a pvc, file or s3 URI to `target` and verifies it there.

    `target` holds a manifest, without which nothing is served, only when the whole artifact is there. `secret` names
    the Secret with the credentials for s3. Raises Failure.
    """
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        raise Failure(
            "InvalidDigest",
            f"the digest {digest!r} is not sha256: and 64 hex digits",
            exits.BAD_CONFIGURATION,
        )
    source = _locate(source_uri, digest, mounts, secret)
    try:
        _fetch(source, digest, target)
    except ValueError as error:  # TamperedArtifact, or a link where a file should be
        message = f"the artifact at {source_uri} is not the one that was trained: {error}"
        raise Failure("DigestMismatch", message, exits.BAD_DATA) from None
    except OSError as error:
        raise _storage_failure(source_uri, target, error) from error


def _locate(source_uri: str, digest: str, mounts: Path, secret: str | None) -> "_Folder | _Bucket":
    try:
        scheme = uri.parse(source_uri).scheme
    except ValueError as error:
        raise Failure("InvalidUri", str(error), exits.BAD_CONFIGURATION) from None
    if scheme == "s3":
        return _Bucket(source_uri, digest, credentials.mounted(secret, mounts))
    if scheme not in ("pvc", "file"):
        accepted = f"{uri.FORMS['pvc']}, {uri.FORMS['s3']} or {uri.FORMS['file']}"
        message = f"an artifact can't come from {source_uri!r}; use {accepted}"
        raise Failure("InvalidUri", message, exits.BAD_CONFIGURATION)
    source = uri.local_path(source_uri, mounts)
    if not (source / manifest.NAME).is_file():
        message = f"there is no artifact at {source_uri}: {source / manifest.NAME} does not exist"
        raise Failure("ArtifactNotFound", message, exits.MISSING_INPUT)
    return _Folder(source)


def _fetch(source: "_Folder | _Bucket", digest: str, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    if _is_there(target, digest):
        log.info("%s already holds the artifact %s", target, digest)
        return
    _clear(source.names(), target)
    partial = target / PARTIAL
    try:
        source.copy(partial)
        manifest.verify(partial, digest)
    except ValueError:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    _publish(partial, target)
    shutil.rmtree(partial)
    log.info("%s holds the artifact %s, verified", target, digest)


def _is_there(target: Path, digest: str) -> bool:
    try:
        manifest.verify(target, digest)
    except manifest.TamperedArtifact:
        return False
    return True


def _clear(names: set[str], target: Path) -> None:
    """Removes an earlier, half or other artifact; a folder with anything else in it is left alone."""
    found = [path for path in target.iterdir() if path.name != PARTIAL]
    found.sort(key=lambda path: path.name != manifest.NAME)  # the manifest goes first
    if strangers := sorted(path.name for path in found if path.name not in names):
        message = f"{target} holds {strangers[0]!r}, which is of no artifact; give an empty folder"
        raise Failure("TargetNotEmpty", message, exits.BAD_CONFIGURATION)
    for path in found:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


class _Folder:
    """An artifact in a folder of the pod."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> set[str]:
        """What lies in its top folder."""
        return {path.name for path in self._folder.iterdir()}

    def copy(self, partial: Path) -> None:
        """Copies it; what an earlier try left is of no use."""
        shutil.rmtree(partial, ignore_errors=True)
        progress = _Progress(manifest.size(self._folder))  # ValueError for links and devices
        partial.mkdir()
        for path in sorted(self._folder.rglob("*")):
            place = partial / path.relative_to(self._folder)
            if path.is_dir():
                place.mkdir()
            else:
                _copy_file(path, place, progress)


class _Bucket:
    """An artifact in S3."""

    def __init__(self, source_uri: str, digest: str, secret: Credentials | None) -> None:
        from perennial_contract.storage.s3 import Store  # boto3 takes a while to load

        self._store = Store(source_uri, secret)
        self._digest = digest

    def names(self) -> set[str]:
        """What lies in its top folder."""
        from perennial_contract.storage import s3_artifact

        facts, _ = s3_artifact.read(self._store, self._digest)
        return {manifest.NAME, *(name.partition("/")[0] for name in facts["files"])}

    def copy(self, partial: Path) -> None:
        """Fetches what an earlier try of this pod has not yet brought."""
        from perennial_contract.storage import s3_artifact

        partial.mkdir(exist_ok=True)
        s3_artifact.download(self._store, partial, self._digest, log.info)


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
