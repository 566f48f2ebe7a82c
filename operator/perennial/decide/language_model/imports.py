"""Import: artifacts that are in storage already become versions, without a training."""

from datetime import datetime

from pydantic import ValidationError

from perennial.api import LanguageModel
from perennial.api.language_model import ImportStatus, Version
from perennial.decide.defaults import Defaults
from perennial.decide.digest import digest
from perennial.decide.fingerprint import fingerprint
from perennial.decide.kube import is_true
from perennial.decide.language_model import storage_job
from perennial.decide.language_model.gates import judge
from perennial.decide.language_model.ledger import Ledger
from perennial.decide.language_model.observed import Observed, StorageJob
from perennial.decide.language_model.versions import training_job_name, with_own_seed
from perennial.decide.outcome import Manifest
from perennial.decide.pods.diagnosis import Trouble, message_of
from perennial_contract.exits import ARTIFACTS
from perennial_contract.found import FoundArtifact, FoundMessage

TRIGGER = "Import"


def is_pending(ledger: Ledger, model: LanguageModel) -> bool:
    """Whether spec.import names a location that was not looked at yet: each is looked at once."""
    wanted, done = model.spec.import_, ledger.status.import_
    return wanted is not None and (done is None or done.uri != wanted.uri)


def import_name(model: LanguageModel) -> str:
    """Name of the Job that finds the artifacts; of each location another one."""
    assert model.spec.import_
    return f"{model.metadata.name}-import-{digest(model.spec.import_.uri)[:8]}"


def import_job(model: LanguageModel, defaults: Defaults) -> Manifest:
    """The Job that finds the artifacts at spec.import."""
    wanted = model.spec.import_
    assert wanted
    command = ["find-artifacts"]
    return storage_job.storage_job(model, import_name(model), command, wanted.uri, wanted.credentials, defaults)


def take(ledger: Ledger, model: LanguageModel, observed: Observed, now: datetime) -> Ledger:
    """Adds a version for each artifact that the Job found, the oldest first, judged by what was measured then."""
    if not is_pending(ledger, model):
        return ledger
    running = observed.storage_jobs.get(import_name(model))
    message = _message(running) if running else None
    if message is None:
        return ledger
    assert model.spec.import_
    before = set(_kept(ledger))
    for found in reversed(message.found):
        # A program of one's own may leave out the task.
        if found.task in (None, model.spec.model.task):
            ledger = _imported(ledger, model, found, now)
    uri = model.spec.import_.uri
    added = [f"v{number}" for number in _kept(ledger) if number not in before]
    what = f"{len(message.found) + message.omitted} artifacts at {uri}"
    outcome = f"imported: {', '.join(added)}" if added else "nothing is imported"
    ledger = ledger.update(import_=ImportStatus(uri=uri, completion_time=now, message=f"{what}; {outcome}"))
    return ledger.record(now, "ArtifactsImported" if added else "NothingImported", "spec.import", what, outcome)


def _kept(ledger: Ledger) -> list[int]:
    return [version.number for version in ledger.status.versions if version.is_kept]


def trouble_of(model: LanguageModel, observed: Observed, now: datetime) -> Trouble | None:
    """What keeps the import from its end, if anything."""
    running = observed.storage_jobs.get(import_name(model))
    if running is None:
        return None
    if is_true(running.job, "Complete") and _message(running) is None:
        name = running.job.name
        return Trouble("ImportFailed", f"Job {name} is complete, but its pod is gone; delete the Job to retry.")
    return storage_job.trouble_of(running, "ImportFailed", now)


def _message(running: StorageJob) -> FoundMessage | None:
    end = storage_job.success_of(running)
    try:
        return FoundMessage.model_validate(message_of(end, ARTIFACTS)) if end else None
    except ValidationError:
        return None


def _imported(ledger: Ledger, model: LanguageModel, found: FoundArtifact, now: datetime) -> Ledger:
    """With the artifact as a version: of a version that has lost it the same one, else a new one.

    A new one has the number that it had before, if no other has it or a later one.
    """
    digest = found.artifact.digest
    same = [version for version in ledger.status.versions if version.artifact and version.artifact.digest == digest]
    if same:
        (version, *_) = same
        lost = version.artifact_state == "Missing" and version.uri == found.artifact.uri
        return ledger.with_version(version.model_copy(update={"artifact_state": "Kept"})) if lost else ledger
    last = ledger.status.last_version
    number = found.number if found.number and found.number > last else last + 1
    against = found.comparison.version if found.comparison else None
    judgement = judge(model.spec.evaluation.gates, found.metrics, found.comparison, against)
    assert model.spec.import_
    version = Version(
        number=number,
        state="",
        trigger=TRIGGER,
        imported=True,
        fingerprint=_fingerprint(model, found, number),
        training_job=training_job_name(model, number),
        uri=found.artifact.uri,
        credentials=model.spec.import_.credentials,
        artifact=found.artifact,
        artifact_state="Kept",
        metrics=found.metrics,
        judged_against=against,
        comparison=found.comparison,
        data_digest=found.data_digest,
        start_time=found.created_at or now,
        completion_time=found.created_at or now,
        passed_gates=judgement.passed,
        message=f"{judgement.rule}: {judgement.observed}",
    )
    return ledger.update(last_version=number).with_version(version)


def _fingerprint(model: LanguageModel, found: FoundArtifact, number: int) -> str:
    """That of the current spec, if it was trained from it or with a seed of its own; else that of its training."""
    current = fingerprint(model.spec)
    own = model.spec.model_copy(update={"training": with_own_seed(model.spec.training, found.number or number)})
    return current if found.fingerprint in (current, fingerprint(own)) else found.fingerprint or "unknown"
