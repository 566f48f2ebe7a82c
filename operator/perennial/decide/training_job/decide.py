"""What follows for a TrainingJob: a ConfigMap, a Job, and a status."""

from datetime import datetime, timedelta

from perennial.api import TrainingJob
from perennial.api.common import Condition
from perennial.api.training_job import Progress, TrainingJobStatus
from perennial.decide import conditions
from perennial.decide.outcome import Event, Manifest, Outcome
from perennial.decide.pods import waits_for_volumes
from perennial.decide.training_job.config import config_map
from perennial.decide.training_job.job import batch_job
from perennial.decide.training_job.observed import Observed
from perennial.decide.training_job.state import PATIENCE, State, state, waits_for_pod

PROGRESS_PERIOD = timedelta(seconds=5)
MISSING_PERIOD = timedelta(seconds=10)
ENDED = ("Complete", "Failed")


def decide(job: TrainingJob, seen: Observed, now: datetime) -> Outcome:
    """Pure. A run that has ended is never started again, even if its Job is gone."""
    if job.status.state in ENDED:
        return Outcome(status=_seen_again(job))
    found = state(job, seen, now)
    return Outcome(
        status=_status(job, seen, found, now),
        apply=_children(job, seen, found),
        events=(_event(found),) if _is_news(job, found) else (),
        again_at=_again_at(found, seen, now),
    )


def _seen_again(job: TrainingJob) -> TrainingJobStatus:
    """The status of a run that has ended: nothing in a newer spec (suspend) changes it."""
    generation = job.metadata.generation
    kept = [condition.model_copy(update={"observed_generation": generation}) for condition in job.status.conditions]
    return job.status.model_copy(update={"observed_generation": generation, "conditions": kept})


def _children(job: TrainingJob, seen: Observed, found: State) -> tuple[Manifest, ...]:
    """The Job is applied once, and again only for what of it can be changed: its pods can't be."""
    if found.reason in ("InvalidUri", "InputMissing") or found.name in ENDED:
        return ()
    if seen.job is None or not _runs_as_wanted(seen.job, job):
        return config_map(job), batch_job(job, seen)
    return () if seen.has_config else (config_map(job),)


def _runs_as_wanted(batch: Manifest, job: TrainingJob) -> bool:
    spec = batch["spec"]
    runs: bool = spec.get("suspend", False) == job.spec.suspend and spec.get("parallelism", 1) == 1
    return runs


def _status(job: TrainingJob, seen: Observed, found: State, now: datetime) -> TrainingJobStatus:
    before = job.status
    ended = found.name in ENDED
    started = (seen.job or {}).get("status", {}).get("startTime")
    return TrainingJobStatus(
        observed_generation=job.metadata.generation,
        state=found.name,
        conditions=_conditions(job, found, now),
        progress=_progress(seen.progress or before.progress, found),
        result=found.result,
        start_time=before.start_time or (datetime.fromisoformat(started) if started else None),
        completion_time=now if ended else None,
    )


def _progress(progress: Progress | None, found: State) -> Progress | None:
    """The last report; of a complete run, with what the result says is final."""
    if found.result is None or progress is None:
        return progress
    final = {"step": found.result.steps, "validation_loss": found.result.metrics.get("loss"), "eta_seconds": 0.0}
    return progress.model_copy(update=final)


def _conditions(job: TrainingJob, found: State, now: datetime) -> list[Condition]:
    ready = found.name == "Complete"
    parked = found.name == "Suspended"
    states = (
        *conditions.summary(
            ready=ready,
            stalled=found.stalled,
            reason=found.reason,
            message=found.message,
            reconciling=False if parked else None,
        ),
        *(conditions.State(name, found.name == name, found.reason, found.message) for name in (*ENDED, "Suspended")),
    )
    return conditions.conditions(states, job.status.conditions, job.metadata.generation, now)


def _was_stalled(job: TrainingJob) -> bool:
    return conditions.is_true(job.status.conditions, "Stalled")


def _is_news(job: TrainingJob, found: State) -> bool:
    """A change of state is, but that a new object is being started goes without saying."""
    before = job.status.state or "Pending"
    return found.name != before or found.stalled != _was_stalled(job)


def _event(found: State) -> Event:
    bad = found.stalled or found.name == "Failed"
    return Event("Warning" if bad else "Normal", found.reason, found.message)


def _again_at(found: State, seen: Observed, now: datetime) -> datetime | None:
    if found.name == "Running":
        return now + PROGRESS_PERIOD
    if found.reason == "Starting" and (waits_for_pod(seen) or any(map(waits_for_volumes, seen.pods))):
        return now + PATIENCE
    return now + MISSING_PERIOD if found.reason == "InputMissing" else None
