"""Removing an artifact that nobody needs any more, and only that one."""

import os
import shutil
from pathlib import Path

from perennial_artifact import manifest
from perennial_artifact.exits import BAD_CONFIGURATION, MISSING_INPUT, Failure
from perennial_artifact.uri import local_path, parse
from perennial_training.data.sources import Say


def delete(uri: str, digest: str | None, mounts: Path, say: Say) -> None:
    """Removes the artifact at `uri` if its digest is `digest`, and what an unfinished job left beside it.

    Nothing there is a success; something else there is an exits.Failure, and stays.
    """
    folder = _folder(uri, mounts)
    doomed = folder.with_name(f"{folder.name}.deleting")
    if folder.exists():
        _refuse_another(folder, uri, digest)
        os.rename(folder, doomed)  # one step: a half-deleted artifact never bears the artifact's name
        say(f"deleting {uri}")
    for leftover in (doomed, folder.with_name(f"{folder.name}.partial")):
        if leftover.exists():
            shutil.rmtree(leftover)
    say(f"{uri} is gone")


def _folder(uri: str, mounts: Path) -> Path:
    try:
        location = parse(uri)
    except ValueError as error:
        raise Failure("BadConfiguration", str(error), BAD_CONFIGURATION) from None
    if location.scheme != "pvc" or not location.path:
        raise Failure("BadConfiguration", f"{uri} is not pvc://CLAIM/PATH: nothing to delete", BAD_CONFIGURATION)
    if not (mounts / "claims" / location.name).is_dir():
        raise Failure("ClaimNotMounted", f"the claim {location.name} is not mounted in {mounts}/claims", MISSING_INPUT)
    return local_path(uri, mounts)


def _refuse_another(folder: Path, uri: str, digest: str | None) -> None:
    try:
        found = manifest.digest_of(folder)
    except OSError:
        found = "no artifact"
    if found != digest:
        raise Failure("DigestMismatch", f"{uri} holds {found}, not {digest}: it stays", BAD_CONFIGURATION)
