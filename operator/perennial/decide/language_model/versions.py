"""How versions begin and end."""

from datetime import datetime

from perennial.api import LanguageModel, TrainingJob
from perennial.api.language_model import Version
from perennial.decide.language_model.fingerprint import fingerprint
from perennial.decide.language_model.gates import judge
from perennial.decide.language_model.ledger import Ledger
from perennial.decide.language_model.observed import Observed


def begin(ledger: Ledger, model: LanguageModel, reason: str, now: datetime) -> Ledger:
    """Allots the next number. The TrainingJob is made in the next look, when the number is stored.

    The artifact's folder carries a part of the object's uid: a model that was deleted and created again with the
    same name neither finds nor overwrites the artifacts of the one before.
    """
    number = ledger.status.last_version + 1
    folder = f"{model.spec.storage.uri.rstrip('/')}/{model.metadata.name}"
    version = Version(
        number=number,
        state="Training",
        reason=reason,
        fingerprint=fingerprint(model.spec),
        training_job=f"{model.metadata.name}-v{number}",
        uri=f"{folder}/v{number}-{model.metadata.uid[:8]}",
        judged_against=ledger.status.serving_version,
        created_at=now,
    )
    return ledger.update(last_version=number).with_version(version)


def supersede(ledger: Ledger, model: LanguageModel, now: datetime) -> Ledger:
    """A training whose spec is out of date is given up: the new spec must not wait for it."""
    version = ledger.in_training
    if version is None or version.fingerprint == fingerprint(model.spec):
        return ledger
    message = "model, data or training changed while it was trained"
    ended = version.model_copy(
        update={"state": "Superseded", "finished_at": now, "message": message, "collecting": True}
    )
    return ledger.with_version(ended).record(
        now, "VersionSuperseded", "the newest spec is trained", message, f"v{version.number} was given up"
    )


def finish(ledger: Ledger, model: LanguageModel, seen: Observed, now: datetime) -> Ledger:
    """Judges the version whose training has ended."""
    version = ledger.in_training
    job = seen.training_jobs.get(version.training_job) if version else None
    if version is None or job is None or job.status.state not in ("Complete", "Failed"):
        return ledger
    if job.status.state == "Failed" or job.status.result is None:
        return _failed(ledger, version, job, now)
    return _judged(ledger, model, version, job, now)


def _failed(ledger: Ledger, version: Version, job: TrainingJob, now: datetime) -> Ledger:
    why = next((c for c in job.status.conditions if c.type == "Failed"), None)
    message = f"{why.reason}: {why.message}" if why else "the TrainingJob failed"
    ended = version.model_copy(update={"state": "Failed", "finished_at": now, "message": message})
    return ledger.with_version(ended).record(
        now,
        "VersionFailed",
        "only a trained version can be served",
        message,
        _stays(ledger, f"v{version.number} failed"),
    )


def _judged(ledger: Ledger, model: LanguageModel, version: Version, job: TrainingJob, now: datetime) -> Ledger:
    result = job.status.result
    assert result
    judgement = judge(model.spec.evaluation.gates, result, version.judged_against)
    state = "Accepted" if judgement.passed else "Refused"
    ended = version.model_copy(
        update={
            "state": state,
            "finished_at": now,
            "artifact": result.artifact,
            "metrics": result.metrics,
            "comparison": result.comparison,
            "message": f"{judgement.rule}: {judgement.observed}",
        }
    )
    outcome = f"v{version.number} was {state.lower()}"
    return ledger.with_version(ended).record(
        now,
        f"Version{state}",
        judgement.rule,
        judgement.observed,
        outcome if judgement.passed else _stays(ledger, outcome),
    )


def _stays(ledger: Ledger, outcome: str) -> str:
    serving = ledger.status.serving_version
    return f"{outcome}; v{serving} stays in service" if serving else f"{outcome}; no version is in service"
