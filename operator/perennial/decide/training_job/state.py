"""In which state a TrainingJob is, and why: a chain of rules, of which the first that speaks decides."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import ValidationError

from perennial.api import TrainingJob
from perennial.api.training_job import Result
from perennial.decide.outcome import Manifest
from perennial.decide.pods import Volumes, ended_badly, message_of, trouble
from perennial.decide.training_job.observed import Observed, locations

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
    """The Job is complete: the result is in the termination message of the pod that succeeded."""
    if not _job_is(seen, "Complete"):
        return None
    message = next(filter(None, (message_of(ended, "result") for ended in _ended(seen) if not ended["exitCode"])), None)
    try:
        result = Result.model_validate(message)
    except ValidationError:
        return State(
            "Failed",
            "NoResult",
            "The pod ended well but its result can't be read; the image must leave it in the termination message.",
            stalled=True,
        )
    if result.artifact.uri.rstrip("/") != job.spec.storage.uri.rstrip("/"):
        told = f"The pod's result speaks of an artifact at {result.artifact.uri} instead of {job.spec.storage.uri}."
        return State("Failed", "WrongResult", told, stalled=True)
    loss = result.metrics.get("loss")
    return State("Complete", "Trained", f"Trained in {result.steps} steps; validation loss {loss}.", result=result)


def failed(job: TrainingJob, seen: Observed, now: datetime) -> State | None:
    condition = _job_is(seen, "Failed")
    if not condition:
        return None
    ends = [ended for ended in _ended(seen) if ended["exitCode"]]
    if ends:
        why = ended_badly(max(ends, key=lambda ended: ended.get("finishedAt") or ""))
        return State("Failed", why.reason, why.message, stalled=True)
    return State("Failed", condition.get("reason", "JobFailed"), condition.get("message", "The Job failed."), True)


def suspended(job: TrainingJob, seen: Observed, now: datetime) -> State | None:
    if not job.spec.suspend:
        return None
    return State("Suspended", "Suspended", "Suspended by spec.suspend; set it to false to go on.")


def missing(job: TrainingJob, seen: Observed, now: datetime) -> State | None:
    if not seen.missing:
        return None
    lacks = " and ".join(seen.missing)
    message = f'{lacks} not found in namespace "{job.metadata.namespace}"; create it, and the training starts.'
    return State("Pending", "InputMissing", message, stalled=True)


def running(job: TrainingJob, seen: Observed, now: datetime) -> State | None:
    """What a running pod mounts can be deleted without harm to it, so that this rule comes before missing."""
    if not any(_phase(pod) == "Running" for pod in seen.pods):
        return None
    at = f" at step {seen.progress.step} of {seen.progress.max_steps}" if seen.progress else ""
    return State("Running", "Training", f"Training{at}.")


def finishing(job: TrainingJob, seen: Observed, now: datetime) -> State | None:
    if not any(_phase(pod) == "Succeeded" for pod in seen.pods):
        return None
    return State("Running", "Finishing", "The training has ended; its Job is being completed.")


def in_trouble(job: TrainingJob, seen: Observed, now: datetime) -> State | None:
    """A pod that can't start, or one that failed and is about to be followed by another."""
    for pod in sorted(seen.pods, key=_created, reverse=True):
        if why := trouble(pod, now):
            if _phase(pod) == "Failed":
                return State("Pending", why.reason, f"{why.message} A new pod will be tried.")
            return State("Pending", why.reason, why.message, stalled=why.reason != "Unschedulable")
    return None


def pending(job: TrainingJob, seen: Observed, now: datetime) -> State | None:
    if waits_for_pod(seen) and now - _started_at(seen) >= PATIENCE:
        asked = f"kubectl describe job {job.metadata.name} --namespace {job.metadata.namespace}"
        return State("Pending", "WaitingForPod", f"There is no pod yet; if it stays so (a quota?), ask `{asked}`.")
    return State("Pending", "Starting", "The training pod is being started.")


Rule = Callable[[TrainingJob, Observed, datetime], State | None]
RULES: tuple[Rule, ...] = (
    unreadable_uri,
    complete,
    failed,
    suspended,
    running,
    finishing,
    missing,
    in_trouble,
    pending,
)


def _job_is(seen: Observed, type_: str) -> dict[str, Any] | None:
    conditions = (seen.job or {}).get("status", {}).get("conditions", [])
    return next((c for c in conditions if c["type"] == type_ and c["status"] == "True"), None)


def _ended(seen: Observed) -> list[dict[str, Any]]:
    """How the containers of the pods ended."""
    return [
        container["state"]["terminated"]
        for pod in seen.pods
        for container in pod.get("status", {}).get("containerStatuses", [])
        if container.get("state", {}).get("terminated")
    ]


def waits_for_pod(seen: Observed) -> bool:
    """Whether the Job controller has begun and there is no pod."""
    return not seen.pods and "startTime" in (seen.job or {}).get("status", {})


def _started_at(seen: Observed) -> datetime:
    assert seen.job
    return datetime.fromisoformat(seen.job["status"]["startTime"])


def _phase(pod: Manifest) -> str:
    return str(pod.get("status", {}).get("phase", ""))


def _created(pod: Manifest) -> str:
    return str(pod["metadata"].get("creationTimestamp") or "")
