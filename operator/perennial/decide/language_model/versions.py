"""Start and end of versions."""

from datetime import datetime

from perennial.api import LanguageModel, TrainingJob
from perennial.api.language_model import Version
from perennial.api.training import Training
from perennial.decide.fingerprint import fingerprint, run_fingerprint
from perennial.decide.kube import is_true, true_condition
from perennial.decide.language_model.gates import judge
from perennial.decide.language_model.ledger import Ledger
from perennial.decide.language_model.observed import Observed
from perennial_contract.found import folder_of
from perennial_contract.job.training import LARGEST_SEED
from perennial_contract.result import Result


def begin(ledger: Ledger, model: LanguageModel, trigger: str, now: datetime) -> Ledger:
    """Allots the next number. The TrainingJob is created in the next reconcile, when the number is stored.

    The artifact's folder carries a part of the object's uid: a model that is deleted and created again with the
    same name neither finds nor overwrites the artifacts of its predecessor.
    """
    number = ledger.status.last_version + 1
    folder = f"{model.spec.storage.uri.rstrip('/')}/{model.metadata.name}"
    version = Version(
        number=number,
        state="Training",
        trigger=trigger,
        fingerprint=fingerprint(model.spec),
        run_fingerprint=run_fingerprint(model.spec),
        training_job=training_job_name(model, number),
        uri=f"{folder}/{folder_of(number, model.metadata.uid)}",
        credentials=model.spec.storage.credentials,
        judged_against=ledger.status.serving_version,
        start_time=now,
    )
    return ledger.update(last_version=number).with_version(version)


def training_job_name(model: LanguageModel, number: int) -> str:
    """Name of the TrainingJob of a version."""
    return f"{model.metadata.name}-v{number}"


def supersede(ledger: Ledger, model: LanguageModel, observed: Observed, now: datetime) -> Ledger:
    """Ends a training whose spec is out of date: the new spec must not wait for it. A suspended one waits."""
    version = ledger.in_training
    why = _outdated(version, model, observed) if version and not model.spec.suspend else None
    if version is None or why is None:
        return ledger
    ended = {"superseded_time": now, "completion_time": now, "message": why, "artifact_state": "Deleting"}
    return ledger.with_version(version.model_copy(update=ended)).record(
        now, "VersionSuperseded", "only the newest spec is trained", why, f"training of v{version.number} was cancelled"
    )


def _outdated(version: Version, model: LanguageModel, observed: Observed) -> str | None:
    """A change of *where* it trains does not cancel a training that makes progress."""
    if version.fingerprint != fingerprint(model.spec):
        return "model, data or training changed during the training"
    if runs_otherwise(version, model) and _is_held_up(observed.training_jobs.get(version.training_job)):
        return "storage, compute, runtime or Secrets changed before the training started"
    return None


def runs_otherwise(version: Version, model: LanguageModel) -> bool:
    """Whether the parameters that don't shape the model differ from those of the version."""
    return version.run_fingerprint not in (None, run_fingerprint(model.spec))


def _is_held_up(job: TrainingJob | None) -> bool:
    if job is None:
        return True
    if any(is_true(job.status, type_) for type_ in ("Running", "Suspended", "Complete", "Failed")):
        return False
    return job.status.progress is None or is_true(job.status, "Stalled")


def finish(ledger: Ledger, model: LanguageModel, observed: Observed, now: datetime) -> Ledger:
    """Judges the version whose training has ended."""
    version = ledger.in_training
    job = observed.training_jobs.get(version.training_job) if version else None
    if version is None or job is None:
        return ledger
    if is_true(job.status, "Failed") or (is_true(job.status, "Complete") and job.status.result is None):
        return _failed(ledger, version, job, now)
    return _judged(ledger, model, version, job, now) if is_true(job.status, "Complete") else ledger


def _failed(ledger: Ledger, version: Version, job: TrainingJob, now: datetime) -> Ledger:
    failure = true_condition(job.status, "Failed")
    message = f"{failure.reason}: {failure.message}" if failure else "the TrainingJob has no result"
    ended = version.model_copy(update={"completion_time": now, "message": message})
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
    judgement = judge(model.spec.evaluation.gates, result.metrics, result.comparison, version.judged_against)
    observed = judgement.observed
    if twin := _twin(ledger, version, result):
        observed += f"; v{twin.number} learned from the same data with the same parameters{_by_seed(model, version)}"
    ended = version.model_copy(
        update={
            "completion_time": now,
            "passed_gates": judgement.passed,
            "artifact": result.artifact,
            "artifact_state": "Kept",
            "metrics": result.metrics,
            "comparison": result.comparison,
            "data_digest": result.data.digest if result.data else None,
            "message": f"{judgement.rule}: {observed}",
        }
    )
    return ledger.with_version(ended).record(
        now,
        "VersionAccepted" if judgement.passed else "VersionRefused",
        judgement.rule,
        observed,
        _accepted(model, version) if judgement.passed else _stays(ledger, f"v{version.number} was refused"),
    )


def _twin(ledger: Ledger, version: Version, result: Result) -> Version | None:
    """The newest earlier version of the same parameters and data: a retraining that could learn nothing new."""
    earlier = (
        each
        for each in reversed(ledger.status.versions)
        if each.number < version.number and each.fingerprint == version.fingerprint
    )
    return next((each for each in earlier if result.data and each.data_digest == result.data.digest), None)


def _by_seed(model: LanguageModel, version: Version) -> str:
    if has_own_seed(version, model):
        return ", but for the seed"
    return "; retraining.seedPolicy Varied would change the seed"


def has_own_seed(version: Version, model: LanguageModel) -> bool:
    """Whether an entry of retraining.triggers started the version, and the policy varies its seed."""
    triggered = version.trigger in {entry.name for entry in model.spec.retraining.triggers}
    return triggered and model.spec.retraining.seed_policy == "Varied"


def with_own_seed(training: Training, number: int) -> Training:
    """With the seed of a version that has one of its own."""
    seed = (training.hyperparameters.seed + number) % (LARGEST_SEED + 1)
    return training.model_copy(update={"hyperparameters": training.hyperparameters.model_copy(update={"seed": seed})})


def _accepted(model: LanguageModel, version: Version) -> str:
    promotion, outcome = model.spec.promotion, f"v{version.number} was accepted"
    if promotion.pin or promotion.policy == "Automatic":
        return outcome
    approved = promotion.approve is not None and promotion.approve.version == version.number
    return outcome if approved else f"{outcome} and awaits spec.promotion.approve"


def _stays(ledger: Ledger, outcome: str) -> str:
    serving = ledger.status.serving_version
    return f"{outcome}; v{serving} stays in service" if serving else f"{outcome}; no version is in service"
