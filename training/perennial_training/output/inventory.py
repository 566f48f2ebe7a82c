"""Finds the artifacts in a folder of the storage: an import takes them as versions without training."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field

from perennial_contract import manifest, pod
from perennial_contract.exits import BAD_CONFIGURATION, MISSING_INPUT, Failure
from perennial_contract.facts import Facts
from perennial_contract.found import FoundArtifact, FoundMessage, number_of
from perennial_contract.report import Report
from perennial_contract.result import Artifact, Comparison, LearnedFrom, Metrics
from perennial_contract.storage import credentials
from perennial_contract.storage.credentials import Credentials
from perennial_contract.uri import FORMS, local_path, parse


class _Facts(Facts):
    """What an import takes over; a program of one's own may have left out all of it."""

    created_at: datetime | None = None
    metrics: Metrics = Field({})
    comparison: Comparison | None = None
    data: LearnedFrom | None = None


@dataclass(frozen=True)
class _Candidate:
    """A folder with a manifest; size: bytes of all files below it."""

    uri: str
    content: bytes
    size: int

    @property
    def folder(self) -> str:
        return self.uri.rpartition("/")[2]


def find(uri: str, mounts: Path, report: Report, secret: str | None = None) -> FoundMessage:
    """The artifact at `uri`, or those in the folders of `uri`; none where there is no such folder.

    `secret` names the Secret with the credentials for an s3:// URI. Only the manifests are read: whoever serves the
    artifact verifies its files. Raises exits.Failure.
    """
    found = [artifact for each in _candidates(uri.rstrip("/"), mounts, secret) if (artifact := _found(each, report))]
    found.sort(key=lambda each: (each.created_at or datetime.min.replace(tzinfo=UTC), each.number or 0), reverse=True)
    message = FoundMessage.of(found)
    report(f"{len(found)} artifacts in {uri}" + (f", the newest {len(message.found)} told" if message.omitted else ""))
    return message


def _candidates(uri: str, mounts: Path, secret: str | None) -> Iterator[_Candidate]:
    try:
        location = parse(uri)
    except ValueError as error:
        raise Failure("BadConfiguration", str(error), BAD_CONFIGURATION) from None
    if location.scheme == "s3":
        return _in_bucket(uri, credentials.mounted(secret, mounts))
    if location.scheme != "pvc":
        message = f"{uri} is not {FORMS['pvc']} or {FORMS['s3']}: artifacts are nowhere else"
        raise Failure("BadConfiguration", message, BAD_CONFIGURATION)
    claim = mounts / pod.CLAIMS / location.name
    if not claim.is_dir():
        raise Failure("ClaimNotMounted", f"the claim {location.name} is not mounted in {claim.parent}", MISSING_INPUT)
    return _in_claim(uri, local_path(uri, mounts))


def _in_claim(uri: str, root: Path) -> Iterator[_Candidate]:
    if _is_artifact(root):
        yield _Candidate(uri, (root / manifest.NAME).read_bytes(), _size(root))
    elif root.is_dir():
        for folder in sorted(filter(_is_artifact, root.iterdir())):
            yield _Candidate(f"{uri}/{folder.name}", (folder / manifest.NAME).read_bytes(), _size(folder))


def _is_artifact(folder: Path) -> bool:
    """A link could lead out of the claim; what a deletion has begun with is no artifact any more."""
    path = folder / manifest.NAME
    links = folder.is_symlink() or path.is_symlink()
    return folder.suffix not in (".partial", ".deleting") and not links and path.is_file()


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _in_bucket(uri: str, secret: Credentials | None) -> Iterator[_Candidate]:
    from perennial_contract.storage.s3 import Store

    store = Store(uri, secret)
    sizes = store.sizes()
    for key in sorted(sizes):
        prefix = key.removesuffix(manifest.NAME)
        if prefix == key or prefix.count("/") > 1 or prefix.endswith(".partial/"):
            continue
        content = store.read(key)
        if content is not None:
            size = sum(size for name, size in sizes.items() if name.startswith(prefix))
            yield _Candidate(f"{uri}/{prefix}".rstrip("/"), content, size)


def _found(candidate: _Candidate, report: Report) -> FoundArtifact | None:
    try:
        facts = _Facts.of(manifest.parse(candidate.content, None, candidate.uri))
    except manifest.TamperedArtifact as error:
        report(f"{error}; it is not imported")
        return None
    return FoundArtifact(
        artifact=Artifact(uri=candidate.uri, digest=manifest.sha256(candidate.content), size_bytes=candidate.size),
        number=number_of(candidate.folder),
        task=facts.task,
        fingerprint=facts.job.fingerprint if facts.job else None,
        created_at=facts.created_at,
        metrics=facts.metrics,
        comparison=facts.comparison,
        data_digest=facts.data.digest if facts.data else None,
    )
