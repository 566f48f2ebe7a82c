"""Observations that a decision on a TrainingJob needs, given those already made."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from perennial.api import TrainingJob
from perennial.decide.kube import JobView, PodView
from perennial.decide.pods.disruption import disruption
from perennial.decide.training_job.observed import Observed, compared, required
from perennial.decide.training_job.rendezvous import index
from perennial.decide.training_job.state import has_end, pods_are_overdue


def confirmed_job(job: TrainingJob) -> bool:
    """Whether an absence of the Job must be confirmed: the status says that it started."""
    return job.status.start_time is not None


def final_pods(batch: JobView, pods: Sequence[PodView]) -> bool:
    """Whether the Job has ended, but these pods don't show how."""
    return batch.has_ended and not (pods and all(has_end(pod) for pod in pods))


def log(pods: Iterable[PodView]) -> PodView | None:
    """The pod whose log holds the progress: the running one with index 0, unless its node may not respond."""
    return next((pod for pod in pods if pod.phase == "Running" and index(pod) == 0 and not disruption(pod)), None)


def inputs(job: TrainingJob, batch: JobView | None, pods: Iterable[PodView]) -> Iterable[str]:
    """URIs whose claims and ConfigMaps must exist; none for a running or ended training."""
    return () if _has_mounted(batch, pods) else required(job)


def comparison(job: TrainingJob, batch: JobView | None, pods: Iterable[PodView]) -> Iterable[str]:
    """URIs whose claims are mounted only if they exist; none for a running or ended training."""
    return () if _has_mounted(batch, pods) else compared(job)


def _has_mounted(batch: JobView | None, pods: Iterable[PodView]) -> bool:
    return (batch is not None and batch.has_ended) or any(pod.phase == "Running" for pod in pods)


def refusal(job: TrainingJob, observed: Observed, now: datetime) -> JobView | None:
    """The Job, if one of its pods is overdue: only Events show why the API server refuses a pod."""
    batch = observed.job
    if batch is None or batch.has_ended or not pods_are_overdue(job, observed, now):
        return None
    return batch
