"""The decision on a TrainingJob: a ConfigMap, a Job, a Service if there are several pods, and a status."""

from datetime import datetime, timedelta

from perennial.api import TrainingJob
from perennial.api.status import Condition
from perennial.api.training_job import TrainingJobStatus
from perennial.decide import conditions
from perennial.decide.kube import JobView, has_ended, is_true
from perennial.decide.labels import API_VERSION
from perennial.decide.outcome import Event, Manifest, Outcome, Reference
from perennial.decide.pods.absence import PATIENCE
from perennial.decide.pods.diagnosis import MISSING_PERIOD, waits_for_volumes
from perennial.decide.training_job.configuration import config_map
from perennial.decide.training_job.job import batch_job
from perennial.decide.training_job.observed import Observed, waits_for_comparison
from perennial.decide.training_job.rendezvous import nodes, service
from perennial.decide.training_job.starting_model import resolve, unresolved
from perennial.decide.training_job.state import State, has_end, is_outlived, lacks_pods, state
from perennial_contract.job import VersionArtifact
from perennial_contract.result import Progress

PROGRESS_PERIOD = timedelta(seconds=5)
ENDED = ("Complete", "Failed")
# Conditions of which at most one is true; of a pending run none is.
STATE_CONDITIONS = (*ENDED, "Suspended", "Running")


def decide(job: TrainingJob, observed: Observed, now: datetime) -> Outcome:
    """A run that has ended never starts again, even if its Job is deleted."""
    if has_ended(job.status):
        return _ended(job, observed, now)
    verdict = state(job, observed, now)
    return Outcome(
        status=_status(job, observed, verdict, now),
        apply=_children(job, observed, verdict),
        delete=_withdrawn(job, observed, verdict),
        events=(Event(verdict.reason, verdict.message),) if _is_news(job, verdict) else (),
        again_at=_again_at(job, verdict, observed, now),
    )


def _ended(job: TrainingJob, observed: Observed, now: datetime) -> Outcome:
    """A run that has ended is deleted after its TTL, and its children with it; the artifact is kept.

    One that only found its artifact stays: whoever created it again, such as a GitOps tool, would do so for ever.
    """
    status, ttl = _final_status(job), job.spec.ttl_seconds_after_finished
    if outlived := _outlived(job, observed, now):
        return Outcome(status=status, delete=outlived)
    if ttl is None or job.status.completion_time is None or (job.status.result and job.status.result.reused):
        return Outcome(status=status)
    at, due = job.metadata, job.status.completion_time + timedelta(seconds=ttl)
    if now < due:
        return Outcome(status=status, again_at=due)
    return Outcome(status=status, delete=(Reference(API_VERSION, job.KIND, at.namespace, at.name, at.uid),))


def _outlived(job: TrainingJob, observed: Observed, now: datetime) -> tuple[Reference, ...]:
    """The Job whose pods go on, though the training has ended."""
    batch = observed.job
    if batch is None or batch.has_ended or batch.is_terminating:
        return ()
    return (_reference(job, batch),) if any(is_outlived(pod, now) for pod in observed.pods) else ()


def _reference(job: TrainingJob, batch: JobView) -> Reference:
    return Reference("batch/v1", "Job", job.metadata.namespace, batch.name, batch.uid)


def _final_status(job: TrainingJob) -> TrainingJobStatus:
    """The status of a run that has ended; a newer spec (suspend) changes only its observed generation."""
    generation = job.metadata.generation
    kept = [condition.model_copy(update={"observed_generation": generation}) for condition in job.status.conditions]
    return job.status.model_copy(update={"observed_generation": generation, "conditions": kept})


def _children(job: TrainingJob, observed: Observed, verdict: State) -> tuple[Manifest, ...]:
    """The Job is applied once, and again only if one of its mutable fields differs.

    A reference to a LanguageModel is resolved and stored first, so that each reconcile uses the same artifact.
    """
    blocked = verdict.reason in ("InvalidUri", "InputMissing") or verdict.name in ENDED
    if blocked or unresolved(job) or _must_go(job, observed, verdict):
        return ()
    # An existing one is immutable: another version of the operator may have written it.
    config = () if observed.has_config else (config_map(job),)
    if observed.job is None or not _is_up_to_date(observed.job, job):
        return (*config, *((service(job),) if nodes(job) > 1 else ()), batch_job(job, observed))
    return config


def _leaves_queue(job: TrainingJob) -> bool:
    """Whether the run is suspended in a queue: Kueue resumes any Job in its queue, so there must be none."""
    return job.spec.suspend and job.spec.training.queue_name is not None


def _must_go(job: TrainingJob, observed: Observed, verdict: State) -> bool:
    """Whether there must be no such Job: it is in a queue that the run leaves, or its pods can't start for a claim."""
    return _leaves_queue(job) or (verdict.name == "Pending" and waits_for_comparison(job, observed))


def _withdrawn(job: TrainingJob, observed: Observed, verdict: State) -> tuple[Reference, ...]:
    """The Job to delete; one that only mounts too much is made again without that."""
    batch = observed.job
    if batch is None or batch.is_terminating or not _must_go(job, observed, verdict) or verdict.name in ENDED:
        return ()
    return (_reference(job, batch),)


def _is_up_to_date(batch: JobView, job: TrainingJob) -> bool:
    """Whether the mutable fields of the Job are those of the spec. In a queue, Kueue owns `suspend`."""
    is_suspended_as_specified = job.spec.training.queue_name is not None or batch.is_suspended == job.spec.suspend
    return is_suspended_as_specified and batch.parallelism == nodes(job)


def _status(job: TrainingJob, observed: Observed, verdict: State, now: datetime) -> TrainingJobStatus:
    before = job.status
    return TrainingJobStatus(
        observed_generation=job.metadata.generation,
        state=verdict.name,
        conditions=_conditions(job, verdict, now),
        base=before.base or _base(job, observed),
        progress=_progress(observed.progress or before.progress, verdict),
        result=verdict.result,
        start_time=before.start_time or (observed.job.start_time if observed.job else None),
        completion_time=now if verdict.name in ENDED else None,
    )


def _base(job: TrainingJob, observed: Observed) -> VersionArtifact | None:
    base = resolve(job, observed.language_model)
    return base if isinstance(base, VersionArtifact) else None


def _progress(progress: Progress | None, verdict: State) -> Progress | None:
    """The last report; for a complete run, with the final numbers of its result."""
    if verdict.result is None or progress is None:
        return progress
    final = {"step": verdict.result.steps, "validation_loss": verdict.result.metrics.get("loss"), "eta_seconds": 0.0}
    return progress.model_copy(update=final)


def _conditions(job: TrainingJob, verdict: State, now: datetime) -> list[Condition]:
    states = (
        *conditions.summary(
            ready=verdict.name == "Complete",
            stalled=verdict.stalled,
            reason=verdict.reason,
            message=verdict.message,
            reconciling=False if verdict.name == "Suspended" else None,
        ),
        *(conditions.State(name, verdict.name == name, verdict.reason, verdict.message) for name in STATE_CONDITIONS),
    )
    return conditions.conditions(states, job.status.conditions, job.metadata.generation, now)


def _is_news(job: TrainingJob, verdict: State) -> bool:
    """Whether the state differs from that of the stored conditions; the start of a new object is no news."""
    before = next((name for name in STATE_CONDITIONS if is_true(job.status, name)), "Pending")
    return verdict.name != before or verdict.stalled != is_true(job.status, "Stalled")


def _again_at(job: TrainingJob, verdict: State, observed: Observed, now: datetime) -> datetime | None:
    if verdict.name == "Running":
        return now + PROGRESS_PERIOD
    if verdict.reason in ("InputMissing", "BaseNotFound"):
        return now + MISSING_PERIOD
    is_waiting = lacks_pods(job, observed) or any(waits_for_volumes(pod) or has_end(pod) for pod in observed.pods)
    return now + PATIENCE if verdict.name == "Pending" and is_waiting else None
