"""In which state a TrainingJob is, and why: a chain of rules, of which the first that speaks decides."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pydantic import ValidationError

from perennial.api import TrainingJob
from perennial.decide.kube import PodView, Termination, is_true, true_condition
from perennial.decide.labels import KUEUE_JOB_UID
from perennial.decide.pods.diagnosis import failure_of, message_of, trouble
from perennial.decide.pods.template import Volumes
from perennial.decide.training_job.observed import Observed, locations
from perennial.decide.training_job.rendezvous import index, nodes
from perennial.decide.training_job.starting_model import NoBase, find
from perennial_contract.exits import CONSEQUENCES, FINAL, RESULT
from perennial_contract.result import Result

# A pod usually comes with its Job's start; to tell of each second between would be a write for nothing.
PATIENCE = timedelta(seconds=30)
Name = Literal["Pending", "Running", "Suspended", "Complete", "Failed"]


@dataclass(frozen=True)
class State:
    """The state in one word, a reason, a sentence, whether it needs a person, and the result if there is one."""

    name: Name
    reason: str
    message: str
    stalled: bool = False
    result: Result | None = None


def state(job: TrainingJob, seen: Observed, now: datetime) -> State:
    """The state that follows from what was observed."""
    return next(found for rule in RULES if (found := rule(job, seen, now)))


def unreadable_uri(job: TrainingJob, seen: Observed, now: datetime) -> State | None:
    try:
        Volumes.of(locations(job))
    except ValueError as error:
        return State("Pending", "InvalidUri", f"{error}.", stalled=True)
    return None


def complete(job: TrainingJob, seen: Observed, now: datetime) -> State | None:
    """The Job is complete: the result is in the termination message of the pod of index 0 that succeeded."""
    if not is_true(seen.job, "Complete"):
        return None
    ends = [ended for pod in seen.pods if index(pod) == 0 for ended in _ends(pod) if not ended.exit_code]
    message = next(filter(None, (message_of(ended, RESULT) for ended in ends)), None)
    try:
        result = Result.model_validate(message)
    except ValidationError:
        return State(
            "Failed",
            "NoResult",
            "The pod ended well but its result can't be read; the image must leave it in the termination message.",
            stalled=True,
        )
    if result.artifact.uri.rstrip("/") != job.spec.output.uri.rstrip("/"):
        told = f"The pod's result speaks of an artifact at {result.artifact.uri} instead of {job.spec.output.uri}."
        return State("Failed", "WrongResult", told, stalled=True)
    loss = result.metrics.get("loss")
    found = f"validation loss {loss}" if loss is not None else ", ".join(f"{k} {v}" for k, v in result.metrics.items())
    return State("Complete", "Trained", f"Trained in {result.steps} steps; {found}.", result=result)


def failed(job: TrainingJob, seen: Observed, now: datetime) -> State | None:
    condition = true_condition(seen.job, "Failed")
    if not condition:
        return None
    if condition.reason == "DeadlineExceeded":
        return State("Failed", "DeadlineExceeded", _too_late(job), stalled=True)
    ends = [ended for pod in seen.pods for ended in _ends(pod) if ended.exit_code]
    if ends:
        why = failure_of(max(ends, key=_weight))
        return State("Failed", why.reason, why.message, stalled=True)
    return State("Failed", condition.reason or "JobFailed", condition.message or "The Job failed.", True)


def _too_late(job: TrainingJob) -> str:
    return (
        f"The training ran for more than training.activeDeadlineSeconds ({job.spec.training.active_deadline_seconds}); "
        "create another one with a later deadline, fewer steps or more compute."
    )


def _weight(ended: Termination) -> tuple[bool, bool, str]:
    """Of the ends of several pods the one that tells most: what is final, else what began it, else the last."""
    code = ended.exit_code
    return code in FINAL, code not in CONSEQUENCES, ended.finished_at


def suspended(job: TrainingJob, seen: Observed, now: datetime) -> State | None:
    if not job.spec.suspend:
        return None
    return State("Suspended", "Suspended", "Suspended by spec.suspend; set it to false to go on.")


def queued(job: TrainingJob, seen: Observed, now: datetime) -> State | None:
    """Kueue holds the Job back, or has suspended it again for one that goes before."""
    queue = job.spec.training.queue_name
    if queue is None or seen.job is None or not seen.job.is_suspended:
        return None
    only = f"--namespace {job.metadata.namespace} --selector {KUEUE_JOB_UID}={seen.job.uid}"
    told = f'Waits in the queue "{queue}" until Kueue admits it; `kubectl describe workloads {only}` says why.'
    return State("Pending", "Queued", told)


def without_base(job: TrainingJob, seen: Observed, now: datetime) -> State | None:
    found = find(job, seen.awaited)
    if not isinstance(found, NoBase):
        return None
    return State("Pending", "BaseNotFound", found.message, stalled=not found.will_come)


def missing(job: TrainingJob, seen: Observed, now: datetime) -> State | None:
    if not seen.missing:
        return None
    lacks = " and ".join(seen.missing)
    message = f'{lacks} not found in namespace "{job.metadata.namespace}"; create it, and the training starts.'
    return State("Pending", "InputMissing", message, stalled=True)


def running(job: TrainingJob, seen: Observed, now: datetime) -> State | None:
    """All pods are there. What they mount can be deleted without harm, so that this rule comes before missing."""
    going = {index(pod) for pod in seen.pods if _trains(pod) or pod.phase == "Succeeded"}
    if not any(map(_trains, seen.pods)) or len(going) < nodes(job):
        return None
    at = f" at step {seen.progress.step} of {seen.progress.max_steps}" if seen.progress else ""
    return State("Running", "Training", f"Training{at}.")


def finishing(job: TrainingJob, seen: Observed, now: datetime) -> State | None:
    if not any(pod.phase == "Succeeded" and index(pod) == 0 for pod in seen.pods):
        return None
    return State("Running", "Finishing", "The training has ended; its Job is being completed.")


def in_trouble(job: TrainingJob, seen: Observed, now: datetime) -> State | None:
    """A pod that can't start, or one that failed and is about to be followed by another."""
    for pod in sorted(seen.pods, key=lambda pod: pod.created, reverse=True):
        if why := trouble(pod, now):
            if pod.phase == "Failed":
                return State("Pending", why.reason, f"{why.message} A new pod will be tried.")
            return State("Pending", why.reason, why.message, stalled=why.reason != "Unschedulable")
    return None


def refused(job: TrainingJob, seen: Observed, now: datetime) -> State | None:
    if seen.refusal is None:
        return None
    if "exceeded quota" in seen.refusal:
        told = f"{seen.refusal}. Raise the quota of the namespace, or ask for less in training.compute."
        return State("Pending", "QuotaExceeded", told, stalled=True)
    return State("Pending", "PodRefused", f"{seen.refusal}. Correct the spec, or what refuses its pods.", stalled=True)


def pending(job: TrainingJob, seen: Observed, now: datetime) -> State | None:
    if pods_are_overdue(job, seen, now):
        asked = f"kubectl describe job {job.metadata.name} --namespace {job.metadata.namespace}"
        lacks = "There is no pod yet" if nodes(job) == 1 else f"Not all of the {nodes(job)} pods are there yet"
        return State("Pending", "WaitingForPod", f"{lacks}; if it stays so, ask `{asked}`.")
    if nodes(job) > 1:
        count = len({index(pod) for pod in seen.pods if _trains(pod)})
        return State("Pending", "Starting", f"{count} of {nodes(job)} pods run; the training begins when all do.")
    return State("Pending", "Starting", "The training pod is being started.")


Rule = Callable[[TrainingJob, Observed, datetime], State | None]
RULES: tuple[Rule, ...] = (
    unreadable_uri,
    complete,
    failed,
    suspended,
    without_base,
    queued,
    running,
    finishing,
    missing,
    refused,
    in_trouble,
    pending,
)


def _ends(pod: PodView) -> list[Termination]:
    """How the containers of the pod ended."""
    return [container.terminated for container in pod.containers if container.terminated]


def lacks_pods(job: TrainingJob, seen: Observed) -> bool:
    """Whether the Job controller has begun and a pod is not there."""
    there = {index(pod) for pod in seen.pods}
    return seen.job is not None and seen.job.start_time is not None and len(there) < nodes(job)


def pods_are_overdue(job: TrainingJob, seen: Observed, now: datetime) -> bool:
    """Whether a pod has not come for so long that it is worth asking why."""
    if seen.job is None or seen.job.start_time is None or not lacks_pods(job, seen):
        return False
    return now - seen.job.start_time >= PATIENCE


def _trains(pod: PodView) -> bool:
    """A pod that is to be deleted (a pause, an eviction) writes its last checkpoint and does no more."""
    return pod.phase == "Running" and not pod.is_terminating
