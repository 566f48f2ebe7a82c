"""What follows for a TrainingJob: a ConfigMap, a Job, a Service where there are several pods, and a status."""

from datetime import datetime, timedelta

from perennial.api import TrainingJob
from perennial.api.common import Condition
from perennial.api.training_job import TrainingJobStatus
from perennial.decide import conditions
from perennial.decide.kube import JobView, is_true
from perennial.decide.labels import API_VERSION
from perennial.decide.outcome import Event, Manifest, Outcome, Reference
from perennial.decide.pods.diagnosis import MISSING_PERIOD, waits_for_volumes
from perennial.decide.training_job.configuration import config_map
from perennial.decide.training_job.job import batch_job
from perennial.decide.training_job.observed import Observed
from perennial.decide.training_job.rendezvous import nodes, service
from perennial.decide.training_job.starting_model import awaited, find
from perennial.decide.training_job.state import PATIENCE, State, lacks_pods, state
from perennial_contract.job import VersionArtifact
from perennial_contract.result import Progress

PROGRESS_PERIOD = timedelta(seconds=5)
ENDED = ("Complete", "Failed")


def decide(job: TrainingJob, seen: Observed, now: datetime) -> Outcome:
    """Pure. A run that has ended is never started again, even if its Job is gone."""
    if job.status.state in ENDED:
        return _at_rest(job, now)
    found = state(job, seen, now)
    return Outcome(
        status=_status(job, seen, found, now),
        apply=_children(job, seen, found),
        delete=_withdrawn(job, seen, found),
        events=(Event(found.reason, found.message),) if _is_news(job, found) else (),
        again_at=_again_at(job, found, seen, now),
    )


def _at_rest(job: TrainingJob, now: datetime) -> Outcome:
    """A run that has ended is deleted when its time is over; what it owns goes with it, its artifact stays."""
    status, ttl = _seen_again(job), job.spec.ttl_seconds_after_finished
    if ttl is None or job.status.completion_time is None:
        return Outcome(status=status)
    at, due = job.metadata, job.status.completion_time + timedelta(seconds=ttl)
    if now < due:
        return Outcome(status=status, again_at=due)
    return Outcome(status=status, delete=(Reference(API_VERSION, job.KIND, at.namespace, at.name, at.uid),))


def _seen_again(job: TrainingJob) -> TrainingJobStatus:
    """The status of a run that has ended: nothing in a newer spec (suspend) changes it."""
    generation = job.metadata.generation
    kept = [condition.model_copy(update={"observed_generation": generation}) for condition in job.status.conditions]
    return job.status.model_copy(update={"observed_generation": generation, "conditions": kept})


def _children(job: TrainingJob, seen: Observed, found: State) -> tuple[Manifest, ...]:
    """The Job is applied once, and again only for what of it can be changed: its pods can't be.

    What is continued from is stored first: whoever asks again later must find the same.
    """
    if awaited(job) or found.reason in ("InvalidUri", "InputMissing") or found.name in ENDED or _is_withdrawn(job):
        return ()
    if seen.job is None or not _runs_as_wanted(seen.job, job):
        return (config_map(job), *((service(job),) if nodes(job) > 1 else ()), batch_job(job, seen))
    return () if seen.has_config else (config_map(job),)


def _is_withdrawn(job: TrainingJob) -> bool:
    """Kueue starts whatever Job is in its queue: a run that is to pause has none."""
    return job.spec.suspend and job.spec.training.queue_name is not None


def _withdrawn(job: TrainingJob, seen: Observed, found: State) -> tuple[Reference, ...]:
    if seen.job is None or not _is_withdrawn(job) or found.name in ENDED:
        return ()
    batch = seen.job
    return (
        () if batch.is_terminating else (Reference("batch/v1", "Job", job.metadata.namespace, batch.name, batch.uid),)
    )


def _runs_as_wanted(batch: JobView, job: TrainingJob) -> bool:
    """In a queue, Kueue says when the Job is suspended."""
    suspends_as_wanted = job.spec.training.queue_name is not None or batch.is_suspended == job.spec.suspend
    return suspends_as_wanted and batch.parallelism == nodes(job)


def _status(job: TrainingJob, seen: Observed, found: State, now: datetime) -> TrainingJobStatus:
    before = job.status
    ended = found.name in ENDED
    return TrainingJobStatus(
        observed_generation=job.metadata.generation,
        state=found.name,
        conditions=_conditions(job, found, now),
        base=before.base or _base(job, seen),
        progress=_progress(seen.progress or before.progress, found),
        result=found.result,
        start_time=before.start_time or (seen.job.start_time if seen.job else None),
        completion_time=now if ended else None,
    )


def _base(job: TrainingJob, seen: Observed) -> VersionArtifact | None:
    found = find(job, seen.awaited)
    return found if isinstance(found, VersionArtifact) else None


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
        *(
            conditions.State(name, found.name == name, found.reason, found.message)
            for name in (*ENDED, "Suspended", "Running")
        ),
    )
    return conditions.conditions(states, job.status.conditions, job.metadata.generation, now)


def _was_stalled(job: TrainingJob) -> bool:
    return is_true(job.status, "Stalled")


def _is_news(job: TrainingJob, found: State) -> bool:
    """A change of state is, but that a new object is being started goes without saying."""
    before = job.status.state or "Pending"
    return found.name != before or found.stalled != _was_stalled(job)


def _again_at(job: TrainingJob, found: State, seen: Observed, now: datetime) -> datetime | None:
    if found.name == "Running":
        return now + PROGRESS_PERIOD
    if found.reason in ("InputMissing", "BaseNotFound"):
        return now + MISSING_PERIOD
    waits = lacks_pods(job, seen) or any(map(waits_for_volumes, seen.pods))
    return now + PATIENCE if found.name == "Pending" and waits else None
