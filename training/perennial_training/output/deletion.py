"""Deletes an artifact that is no longer needed, and only that one."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from perennial_contract import manifest, pod
from perennial_contract.exits import BAD_CONFIGURATION, MISSING_INPUT, Failure
from perennial_contract.facts import Facts
from perennial_contract.report import Report
from perennial_contract.storage import credentials
from perennial_contract.storage.credentials import Credentials
from perennial_contract.uri import FORMS, local_path, parse

_DELETING = "deleting"  # the object below ARTIFACT.partial/ that says that the artifact is being deleted


@dataclass(frozen=True)
class Target:
    """The artifact to delete: by its digest or, where that is unknown, by the job (NAMESPACE/NAME) that made it."""

    digest: str | None
    job: str | None = None

    def matches(self, content: bytes) -> bool:
        """Whether this is the manifest of the target."""
        if self.digest is not None:
            return manifest.sha256(content) == self.digest
        try:
            made_by = Facts.model_validate_json(content).job
        except ValueError:
            return False
        return made_by is not None and f"{made_by.namespace}/{made_by.name}" == self.job

    def __str__(self) -> str:
        return self.digest or (f"what the job {self.job} made" if self.job else "an unfinished one")


def delete(uri: str, target: Target, mounts: Path, report: Report, secret: str | None = None) -> None:
    """Deletes the artifact at `uri`, and what an unfinished job left beside it.

    `secret` names the Secret with the credentials for an s3:// URI. A missing artifact is a success; a different one is
    kept and raises exits.Failure.
    """
    if uri.startswith("s3://"):
        _delete_from_bucket(uri, target, credentials.mounted(secret, mounts), report)
        return
    folder = _folder(uri, mounts)
    doomed = folder.with_name(f"{folder.name}.deleting")
    if folder.exists():
        _refuse_another(folder, uri, target)
        os.rename(folder, doomed)  # one step: a half-deleted artifact never has the artifact's name
        report(f"deleting {uri}")
    for leftover in (doomed, folder.with_name(f"{folder.name}.partial")):
        if leftover.exists():
            shutil.rmtree(leftover)
    report(f"{uri} is gone")


def _delete_from_bucket(uri: str, target: Target, secret: Credentials | None, report: Report) -> None:
    """The manifest goes first: a half-deleted artifact is none. A marker lets a retry recognize the rest."""
    from perennial_contract.storage.s3 import Store
    from perennial_training.output.bucket import CLAIM

    _refuse_no_artifact(uri)
    store, partial = Store(uri, secret), Store(f"{uri.rstrip('/')}.partial", secret)
    content = store.read(manifest.NAME)
    interrupted = partial.sizes().keys() & {CLAIM, _DELETING}
    if not target.matches(content) if content is not None else store.sizes() and not interrupted:
        raise _another(uri, content, target)
    if content is not None:
        report(f"deleting {uri}")
        partial.write(_DELETING, b"")
        store.delete([manifest.NAME])
    store.delete(store.sizes())
    partial.delete(sorted(partial.sizes(), key=lambda key: key in (CLAIM, _DELETING)))
    report(f"{uri} is gone")


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
    if not (mounts / pod.CLAIMS / name).is_dir():
        raise Failure("ClaimNotMounted", f"the claim {name} is not mounted in {mounts / pod.CLAIMS}", MISSING_INPUT)
    return local_path(uri, mounts)


def _refuse_another(folder: Path, uri: str, target: Target) -> None:
    try:
        content = (folder / manifest.NAME).read_bytes()
    except OSError:
        raise _another(uri, None, target) from None
    if not target.matches(content):
        raise _another(uri, content, target)


def _another(uri: str, content: bytes | None, target: Target) -> Failure:
    existing = "no artifact" if content is None else manifest.sha256(content)
    message = f"{uri} holds {existing}, not {target}: it stays"
    return Failure("DigestMismatch", message, BAD_CONFIGURATION)
