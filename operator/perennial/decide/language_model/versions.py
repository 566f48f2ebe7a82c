"""How versions begin and end."""

from datetime import datetime

from perennial.api import LanguageModel, TrainingJob
from perennial.api.language_model import Version
from perennial.decide.kube import condition, is_true
from perennial.decide.language_model.fingerprint import fingerprint, run_fingerprint
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
        run_fingerprint=run_fingerprint(model.spec),
        training_job=f"{model.metadata.name}-v{number}",
        uri=f"{folder}/v{number}-{model.metadata.uid[:8]}",
        credentials=model.spec.storage.credentials,
        judged_against=ledger.status.serving_version,
        created_at=now,
    )
    return ledger.update(last_version=number).with_version(version)


def supersede(ledger: Ledger, model: LanguageModel, seen: Observed, now: datetime) -> Ledger:
    """A training whose spec is out of date is given up: the new spec must not wait for it."""
    version = ledger.in_training
    why = _outdated(version, model, seen) if version else None
    if version is None or why is None:
        return ledger
    ended = version.model_copy(update={"state": "Superseded", "finished_at": now, "message": why, "collecting": True})
    return ledger.with_version(ended).record(
        now, "VersionSuperseded", "the newest spec is trained", why, f"v{version.number} was given up"
    )


def _outdated(version: Version, model: LanguageModel, seen: Observed) -> str | None:
    """A change of where and how it is trained breaks off no training that gets on."""
    if version.fingerprint != fingerprint(model.spec):
        return "model, data or training changed while it was trained"
    if runs_otherwise(version, model) and _is_held_up(seen.training_jobs.get(version.training_job)):
        return "where or how it is trained changed before it could be"
    return None


def runs_otherwise(version: Version, model: LanguageModel) -> bool:
    """Whether the spec says otherwise by now where and how to train."""
    return version.run_fingerprint not in (None, run_fingerprint(model.spec))


def _is_held_up(job: TrainingJob | None) -> bool:
    if job is None:
        return True
    return job.status.state in ("", "Pending") and (job.status.progress is None or is_true(job.status, "Stalled"))


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
    why = condition(job.status, "Failed")
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
