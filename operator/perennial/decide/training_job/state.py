"""State of a training run: an ordered chain of rules; the first match wins."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import ValidationError

from perennial.api import TrainingJob
from perennial.decide.kube import PodView, Termination, is_true, true_condition
from perennial.decide.labels import KUEUE_JOB_UID
from perennial.decide.pods.absence import PATIENCE, is_overdue
from perennial.decide.pods.absence import refused as refusal_of_pod
from perennial.decide.pods.diagnosis import Trouble, ended_by_node, failure_of, message_of, sentence, trouble
from perennial.decide.pods.disruption import disruption, last_disruption
from perennial.decide.pods.template import Volumes
from perennial.decide.training_job.job import CONTAINER
from perennial.decide.training_job.observed import Observed, locations
from perennial.decide.training_job.rendezvous import index, nodes
from perennial.decide.training_job.starting_model import MissingBase, resolve
from perennial_contract.exits import CONSEQUENCES, FINAL, RESULT
from perennial_contract.result import Result

Name = Literal["Pending", "Running", "Suspended", "Complete", "Failed"]


@dataclass(frozen=True)
class State:
    """The state in one word, and its grounds. A stalled run needs a person; a complete one has a result."""

    name: Name
    reason: str
    message: str
    stalled: bool = False
    result: Result | None = None


def state(job: TrainingJob, observed: Observed, now: datetime) -> State:
    """The verdict of the first rule that matches."""
    return next(verdict for rule in RULES if (verdict := rule(job, observed, now)))


def unreadable_uri(job: TrainingJob, observed: Observed, now: datetime) -> State | None:
    try:
        Volumes.of(locations(job))
    except ValueError as error:
        return State("Pending", "InvalidUri", f"{error}.", stalled=True)
    return None


def complete(job: TrainingJob, observed: Observed, now: datetime) -> State | None:
    """The Job is complete."""
    return _completed(job, observed.pods) if is_true(observed.job, "Complete") else None


def _completed(job: TrainingJob, pods: Iterable[PodView]) -> State:
    """The termination message of the succeeded pod with index 0 holds the result."""
    ends = filter(None, map(_success, pods))
    document = next(filter(None, (message_of(end, RESULT) for end in ends)), None)
    try:
        result = Result.model_validate(document)
    except ValidationError:
        return State(
            "Failed",
            "NoResult",
            "The pod succeeded, but its result can't be read; the image must write it to the termination message.",
            stalled=True,
        )
    if result.artifact.uri.rstrip("/") != job.spec.output.uri.rstrip("/"):
        message = f"The result names an artifact at {result.artifact.uri} instead of {job.spec.output.uri}."
        return State("Failed", "WrongResult", message, stalled=True)
    trained = f"Trained in {result.steps} steps; {_quality(result.metrics)}."
    if result.reused:
        trained = f"An earlier TrainingJob of this name and configuration left the artifact. {trained}"
    return State("Complete", "Trained", trained, result=result)


def _quality(metrics: dict[str, float]) -> str:
    """The validation loss; of a program that reports none, all metrics."""
    if "loss" in metrics:
        return f"validation loss {metrics['loss']}"
    return ", ".join(f"{name} {value}" for name, value in metrics.items())


def failed(job: TrainingJob, observed: Observed, now: datetime) -> State | None:
    condition = true_condition(observed.job, "Failed")
    if not condition:
        return None
    if condition.reason == "DeadlineExceeded":
        return State("Failed", "DeadlineExceeded", _deadline_exceeded(job), stalled=True)
    if cause := _cause(observed.pods):
        return State("Failed", cause.reason, cause.message, stalled=True)
    return State("Failed", condition.reason or "JobFailed", condition.message or "The Job failed.", stalled=True)


def _deadline_exceeded(job: TrainingJob) -> str:
    return (
        f"The training ran for more than training.activeDeadlineSeconds ({job.spec.training.active_deadline_seconds}); "
        "create another TrainingJob with a later deadline, fewer steps or more compute."
    )


def _cause(pods: Iterable[PodView]) -> Trouble | None:
    """Why a run failed: of the failures of its pods the most significant one."""
    failures = [(pod, cause) for pod in pods if (cause := _failure(pod))]
    return max(failures, key=lambda failure: _significance(failure[0]))[1] if failures else None


def _failure(pod: PodView) -> Trouble | None:
    end = _end(pod)
    return ended_by_node(pod) or (failure_of(end) if end and end.exit_code else None)


def _significance(pod: PodView) -> tuple[bool, bool, str]:
    """Sort key of failures: final ones before causes, causes before their consequences, later before earlier."""
    end = _end(pod) or Termination(0)
    return end.exit_code in FINAL, end.exit_code not in CONSEQUENCES, end.finished_at


def outlived(job: TrainingJob, observed: Observed, now: datetime) -> State | None:
    """The training has ended, but its pod has not: another container goes on, such as the proxy of a mesh."""
    pods = [pod for pod in observed.pods if is_outlived(pod, now)]
    if any(map(_success, pods)):
        return _completed(job, pods)
    if cause := _cause(pods):
        others = " and ".join(sorted(each.name for each in pods[0].containers if not each.terminated))
        message = f"{sentence(cause.message)} It is not tried again, as its pod does not end: {others} goes on."
        return State("Failed", cause.reason, message, stalled=True)
    return None


def suspended(job: TrainingJob, observed: Observed, now: datetime) -> State | None:
    if not job.spec.suspend:
        return None
    return State("Suspended", "Suspended", "Suspended by spec.suspend; set it to false to resume.")


def queued(job: TrainingJob, observed: Observed, now: datetime) -> State | None:
    """Kueue has not admitted the Job, or has evicted it for one with precedence."""
    queue = job.spec.training.queue_name
    if queue is None or observed.job is None or not observed.job.is_suspended:
        return None
    options = f"--namespace {job.metadata.namespace} --selector {KUEUE_JOB_UID}={observed.job.uid}"
    message = f'Waits in the queue "{queue}" until Kueue admits it; `kubectl describe workloads {options}` says why.'
    return State("Pending", "Queued", message)


def base_not_found(job: TrainingJob, observed: Observed, now: datetime) -> State | None:
    base = resolve(job, observed.language_model)
    if not isinstance(base, MissingBase):
        return None
    return State("Pending", "BaseNotFound", base.message, stalled=not base.is_coming)


def missing(job: TrainingJob, observed: Observed, now: datetime) -> State | None:
    if not observed.missing:
        return None
    inputs = " and ".join(observed.missing)
    message = f'{inputs} not found in namespace "{job.metadata.namespace}"; create it to start the training.'
    return State("Pending", "InputMissing", message, stalled=True)


def disrupted(job: TrainingJob, observed: Observed, now: datetime) -> State | None:
    """A pod is being taken away, or its node is lost: the training stops and goes on in another pod."""
    for pod in observed.pods:
        if pod.phase in ("Pending", "Running") and not has_end(pod) and (cause := disruption(pod)):
            return State("Pending", cause.reason, f"{cause.message} Another pod continues from the last checkpoint.")
    return None


def running(job: TrainingJob, observed: Observed, now: datetime) -> State | None:
    """All pods exist. Deleting what they mount does no harm any more, so this rule precedes `missing`."""
    started = {index(pod) for pod in observed.pods if _is_training(pod) or pod.phase == "Succeeded"}
    if not any(map(_is_training, observed.pods)) or len(started) < nodes(job):
        return None
    position = f" at step {observed.progress.step} of {observed.progress.max_steps}" if observed.progress else ""
    return State("Running", "Training", f"Training{position}.")


def finishing(job: TrainingJob, observed: Observed, now: datetime) -> State | None:
    if not any(map(_success, observed.pods)):
        return None
    return State("Running", "Finishing", "The training has ended; the Job completes.")


def in_trouble(job: TrainingJob, observed: Observed, now: datetime) -> State | None:
    """A pod can't start, or has failed and the Job controller replaces it."""
    for pod in sorted(observed.pods, key=lambda pod: pod.created, reverse=True):
        if cause := disruption(pod) or trouble(pod, now):
            if pod.phase == "Failed" or _end(pod):
                message = sentence(cause.message) + (" Another pod will be started." if _follows(job, observed) else "")
                return State("Pending", cause.reason, message)
            return State("Pending", cause.reason, cause.message, stalled=cause.reason != "Unschedulable")
    return None


def _follows(job: TrainingJob, observed: Observed) -> bool:
    """Whether the Job starts another pod for the ones that failed, as far as it can be known before it does so."""
    ended = [pod for pod in observed.pods if pod.phase == "Failed"]
    final = any((end := _end(pod)) and end.exit_code in FINAL for pod in ended)
    return bool(ended) and not final and len(ended) <= job.spec.training.backoff_limit * nodes(job)


def refused(job: TrainingJob, observed: Observed, now: datetime) -> State | None:
    if observed.refusal is None:
        return None
    cause = refusal_of_pod(observed.refusal, "training.compute")
    return State("Pending", cause.reason, cause.message, stalled=True)


def recovering(job: TrainingJob, observed: Observed, now: datetime) -> State | None:
    """Another pod starts in the place of the one that was taken away."""
    cause = last_disruption(job.status.conditions, job.metadata.generation)
    return State("Pending", cause.reason, cause.message) if cause else None


def pending(job: TrainingJob, observed: Observed, now: datetime) -> State | None:
    if pods_are_overdue(job, observed, now):
        command = f"kubectl describe job {job.metadata.name} --namespace {job.metadata.namespace}"
        pods = "The pod does not exist yet" if nodes(job) == 1 else f"Not all of the {nodes(job)} pods exist yet"
        return State("Pending", "WaitingForPod", f"{pods}; if this persists, run `{command}`.")
    if nodes(job) > 1:
        count = len({index(pod) for pod in observed.pods if _is_training(pod)})
        return State("Pending", "Starting", f"{count} of {nodes(job)} pods run; the training starts when all do.")
    return State("Pending", "Starting", "The training pod is being started.")


Rule = Callable[[TrainingJob, Observed, datetime], State | None]
RULES: tuple[Rule, ...] = (
    unreadable_uri,
    complete,
    failed,
    outlived,
    suspended,
    base_not_found,
    queued,
    disrupted,
    running,
    finishing,
    missing,
    refused,
    in_trouble,
    recovering,
    pending,
)


def _end(pod: PodView) -> Termination | None:
    """How the training in the pod ended; containers that others have added to it do not count."""
    return next((container.terminated for container in pod.containers if container.name == CONTAINER), None)


def _success(pod: PodView) -> Termination | None:
    """The end of a training that went well, in the pod that tells the result."""
    end = _end(pod)
    return end if index(pod) == 0 and end and not end.exit_code else None


def has_end(pod: PodView) -> bool:
    """Whether the training in the pod has ended."""
    return _end(pod) is not None


def is_outlived(pod: PodView, now: datetime) -> bool:
    """Whether the pod has gone on for a while after its training."""
    end = _end(pod)
    if pod.phase != "Running" or end is None or not end.finished_at:
        return False
    return now - datetime.fromisoformat(end.finished_at) >= PATIENCE


def lacks_pods(job: TrainingJob, observed: Observed) -> bool:
    """Whether the Job has started and a pod is absent."""
    present = {index(pod) for pod in observed.pods}
    return observed.job is not None and observed.job.start_time is not None and len(present) < nodes(job)


def pods_are_overdue(job: TrainingJob, observed: Observed, now: datetime) -> bool:
    """Whether a pod has been absent for longer than it usually takes to create one."""
    return observed.job is not None and lacks_pods(job, observed) and is_overdue(observed.job, now)


def _is_training(pod: PodView) -> bool:
    """Whether the pod makes progress. A terminating one (suspended, evicted) only saves its last checkpoint."""
    return pod.phase == "Running" and not pod.is_terminating and _end(pod) is None
