"""What a decision on a TrainingJob must know, as far as it follows from what is known already."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from perennial.api import TrainingJob
from perennial.decide.kube import JobView, PodView, is_true
from perennial.decide.training_job.observed import Observed, locations
from perennial.decide.training_job.rendezvous import index
from perennial.decide.training_job.state import pods_are_overdue


def is_over(job: TrainingJob) -> bool:
    """Whether the run has ended, so that nothing needs to be observed any more."""
    return is_true(job.status, "Complete") or is_true(job.status, "Failed")


def confirmed_job(job: TrainingJob) -> bool:
    """Whether an absence of the Job must be confirmed: the status says that it started."""
    return job.status.start_time is not None


def final_pods(batch: JobView, pods: Sequence[PodView]) -> bool:
    """Whether the Job has ended, but these pods don't say how."""
    return batch.has_ended and not (pods and all(_has_end(pod) for pod in pods))


def log(pods: Iterable[PodView]) -> PodView | None:
    """The pod whose log holds the progress: the running one with index 0."""
    return next((pod for pod in pods if pod.phase == "Running" and index(pod) == 0), None)


def inputs(job: TrainingJob, batch: JobView | None, pods: Iterable[PodView]) -> Iterable[str]:
    """The URIs whose claims and ConfigMaps must exist: of a running or ended training none."""
    if (batch and batch.has_ended) or any(pod.phase == "Running" for pod in pods):
        return ()
    return locations(job)


def refusal(job: TrainingJob, observed: Observed, now: datetime) -> JobView | None:
    """The Job, if a pod of it is overdue: only its Events tell why the API server refuses to create one."""
    batch = observed.job
    if batch is None or batch.has_ended or not pods_are_overdue(job, observed, now):
        return None
    return batch


def _has_end(pod: PodView) -> bool:
    return any(container.terminated for container in pod.containers)
