"""Removing an artifact that nobody needs any more, and only that one."""

import os
import shutil
from pathlib import Path

from perennial_artifact import credentials, manifest
from perennial_artifact.credentials import Credentials
from perennial_artifact.exits import BAD_CONFIGURATION, MISSING_INPUT, Failure
from perennial_artifact.uri import FORMS, local_path, parse
from perennial_training.data.sources import Say

_DELETING = "deleting"  # the object below ARTIFACT.partial/ that says that the artifact is being deleted


def delete(uri: str, digest: str | None, mounts: Path, say: Say, secret: str | None = None) -> None:
    """Removes the artifact at `uri` if its digest is `digest`, and what an unfinished job left beside it.

    `secret` names the Secret with the credentials for an s3:// URI. Nothing there is a success; something else there
    is an exits.Failure, and stays.
    """
    if uri.startswith("s3://"):
        _delete_from_bucket(uri, digest, credentials.mounted(secret, mounts), say)
        return
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


def _delete_from_bucket(uri: str, digest: str | None, secret: Credentials | None, say: Say) -> None:
    """The manifest goes first: a half-deleted artifact is none. A note tells the next try what the rest belongs to."""
    from perennial_artifact.s3 import Store
    from perennial_training.bucket_output import CLAIM

    _refuse_no_artifact(uri)
    store, partial = Store(uri, secret), Store(f"{uri.rstrip('/')}.partial", secret)
    content = store.read(manifest.NAME)
    found = None if content is None else manifest.sha256(content)
    begun = partial.sizes().keys() & {CLAIM, _DELETING}
    if found != digest if found is not None else store.sizes() and not begun:
        raise _another(uri, found, digest)
    if found is not None:
        say(f"deleting {uri}")
        partial.write(_DELETING, b"")
        store.delete([manifest.NAME])
    store.delete(store.sizes())
    partial.delete(sorted(partial.sizes(), key=lambda key: key in (CLAIM, _DELETING)))
    say(f"{uri} is gone")


def _refuse_no_artifact(uri: str) -> None:
    try:
        location = parse(uri)
    except ValueError as error:
        raise Failure("BadConfiguration", str(error), BAD_CONFIGURATION) from None
    if location.scheme not in ("pvc", "s3") or not location.path.strip("/"):
        accepted = f"{FORMS['pvc']} or {FORMS['s3']}"
        raise Failure("BadConfiguration", f"{uri} is not {accepted}: nothing to delete", BAD_CONFIGURATION)


def _folder(uri: str, mounts: Path) -> Path:
    _refuse_no_artifact(uri)
    name = parse(uri).name
    if not (mounts / "claims" / name).is_dir():
        raise Failure("ClaimNotMounted", f"the claim {name} is not mounted in {mounts}/claims", MISSING_INPUT)
    return local_path(uri, mounts)


def _refuse_another(folder: Path, uri: str, digest: str | None) -> None:
    try:
        found = manifest.digest_of(folder)
    except OSError:
        raise _another(uri, None, digest) from None
    if found != digest:
        raise _another(uri, found, digest)


def _another(uri: str, found: str | None, digest: str | None) -> Failure:
    message = f"{uri} holds {found or 'no artifact'}, not {digest or 'an unfinished one'}: it stays"
    return Failure("DigestMismatch", message, BAD_CONFIGURATION)
