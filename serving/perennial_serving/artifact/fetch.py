"""Copies an artifact from storage into the pod, and verifies that it is the one that was trained."""

import errno
import logging
import os
import re
import shutil
from pathlib import Path

from perennial_contract import exits, manifest, pod, uri
from perennial_contract.exits import Failure
from perennial_contract.storage import credentials
from perennial_serving.artifact.folder_source import FolderSource
from perennial_serving.artifact.source import ArtifactSource

PARTIAL = ".partial"  # inside the target, because a mount point can't be the target of a rename
log = logging.getLogger(__name__)


def fetch(source_uri: str, digest: str, target: Path, mounts: Path = pod.MOUNTS, secret: str | None = None) -> None:
    """Copies the artifact at a pvc, file or s3 URI to `target` and verifies the copy.

    `target` gets its manifest, without which nothing is served, once the artifact is complete. `secret` is the name of
    the Secret with the credentials for s3. Raises Failure.
    """
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        raise Failure(
            "InvalidDigest", f"the digest {digest!r} is not sha256: and 64 hex digits", exits.BAD_CONFIGURATION
        )
    source = _source(source_uri, digest, mounts, secret)
    try:
        _fetch(source, digest, target)
    except ValueError as error:  # TamperedArtifact, or a link in the place of a file
        message = f"the artifact at {source_uri} is not the one that was trained: {error}"
        raise Failure("DigestMismatch", message, exits.BAD_DATA) from None
    except OSError as error:
        raise _storage_failure(source_uri, target, error) from error


def _source(source_uri: str, digest: str, mounts: Path, secret: str | None) -> ArtifactSource:
    try:
        scheme = uri.parse(source_uri).scheme
    except ValueError as error:
        raise Failure("InvalidUri", str(error), exits.BAD_CONFIGURATION) from None
    if scheme == "s3":
        from perennial_serving.artifact.bucket_source import BucketSource

        return BucketSource(source_uri, digest, credentials.mounted(secret, mounts))
    if scheme not in ("pvc", "file"):
        supported = f"{uri.FORMS['pvc']}, {uri.FORMS['s3']} or {uri.FORMS['file']}"
        message = f"artifacts can't be fetched from {source_uri!r}; use {supported}"
        raise Failure("InvalidUri", message, exits.BAD_CONFIGURATION)
    folder = uri.local_path(source_uri, mounts)
    if not (folder / manifest.NAME).is_file():
        message = f"there is no artifact at {source_uri}: {folder / manifest.NAME} does not exist"
        raise Failure("ArtifactNotFound", message, exits.MISSING_INPUT)
    return FolderSource(folder)


def _fetch(source: ArtifactSource, digest: str, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    if _holds(target, digest):
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


def _holds(target: Path, digest: str) -> bool:
    try:
        manifest.verify(target, digest)
    except manifest.TamperedArtifact:
        return False
    return True


def _clear(names: set[str], target: Path) -> None:
    """Removes an incomplete or different artifact; refuses a folder with anything else in it."""
    entries = [path for path in target.iterdir() if path.name != PARTIAL]
    entries.sort(key=lambda path: path.name != manifest.NAME)  # the manifest goes first
    if foreign := sorted(path.name for path in entries if path.name not in names):
        message = f"{target} holds {foreign[0]!r}, which belongs to no artifact; use an empty folder"
        raise Failure("TargetNotEmpty", message, exits.BAD_CONFIGURATION)
    for path in entries:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _publish(partial: Path, target: Path) -> None:
    """Moves the verified files into place, the manifest last: it marks the artifact as complete."""
    for path in sorted(partial.iterdir(), key=lambda path: path.name == manifest.NAME):
        if path.name == manifest.NAME:
            os.sync()
        path.rename(target / path.name)


def _storage_failure(source_uri: str, target: Path, error: OSError) -> Failure:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        message = f"{target} is too small for the artifact at {source_uri}; increase the pod's ephemeral storage"
        return Failure("StorageFull", message, exits.TEMPORARY)
    return Failure("StorageError", f"{source_uri} can't be copied to {target}: {error}", exits.TEMPORARY)
