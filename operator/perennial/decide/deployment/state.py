"""How the service is: a chain of rules, of which the first that speaks decides."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from perennial.api import ModelDeployment
from perennial.decide.deployment.observed import Observed
from perennial.decide.labels import GENERATION, MODEL_VERSION
from perennial.decide.outcome import Manifest
from perennial.decide.pods import Volumes, trouble


@dataclass(frozen=True)
class State:
    """Whether the spec is fully in service, or stands still, and why."""

    reason: str
    message: str
    ready: bool = False
    stalled: bool = False


def state(deployment: ModelDeployment, seen: Observed, now: datetime) -> State:
    """The state that follows from what was observed."""
    return next(found for rule in RULES if (found := rule(deployment, seen, now)))


def available(seen: Observed) -> bool:
    """Whether enough pods answer."""
    return any(c["type"] == "Available" and c["status"] == "True" for c in _status(seen).get("conditions", []))


def rolled_out(deployment: ModelDeployment, seen: Observed) -> bool:
    """Whether all pods are of the current spec and answer, and no other pod is left."""
    if seen.apps is None or not _is_current(deployment, seen.apps):
        return False
    wanted = seen.apps["spec"].get("replicas", 1)
    status = _status(seen)
    counts = (status.get(key, 0) for key in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"))
    return all(count == wanted for count in counts)


def unreadable_uri(deployment: ModelDeployment, seen: Observed, now: datetime) -> State | None:
    try:
        Volumes.of([deployment.spec.model.uri])
    except ValueError as error:
        return State("InvalidUri", f"{error}.", stalled=True)
    return None


def missing(deployment: ModelDeployment, seen: Observed, now: datetime) -> State | None:
    if not seen.missing:
        return None
    lacks = " and ".join(seen.missing)
    message = f'{lacks} not found in namespace "{deployment.metadata.namespace}"; create it, and the service starts.'
    return State("InputMissing", message, stalled=True)


def in_service(deployment: ModelDeployment, seen: Observed, now: datetime) -> State | None:
    if not rolled_out(deployment, seen):
        return None
    replicas = _status(seen).get("replicas", 0)
    if not replicas:
        return State("ScaledToZero", "No replica, as spec.replicas is 0.", ready=True)
    return State("InService", f"Version {deployment.spec.model.version} answers on {replicas} replicas.", ready=True)


def in_trouble(deployment: ModelDeployment, seen: Observed, now: datetime) -> State | None:
    """A pod of the current version that can't get on; pods before it stay in service."""
    version = str(deployment.spec.model.version)
    for pod in seen.pods:
        if pod["metadata"].get("labels", {}).get(MODEL_VERSION) != version or pod["metadata"].get("deletionTimestamp"):
            continue
        if not _pod_ready(pod) and (why := trouble(pod, now)):
            kept = " The pods before it stay in service." if available(seen) else ""
            return State(why.reason, why.message + kept, stalled=why.reason != "Unschedulable")
    return None


def no_pods_allowed(deployment: ModelDeployment, seen: Observed, now: datetime) -> State | None:
    """The API server refuses the pods: a quota, an admission policy."""
    for condition in _status(seen).get("conditions", []):
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return State("PodsRefused", f"A pod was refused: {condition.get('message')}.", stalled=True)
    return None


def overdue(deployment: ModelDeployment, seen: Observed, now: datetime) -> State | None:
    for condition in _status(seen).get("conditions", []):
        if condition["type"] == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
            return State("ProgressDeadlineExceeded", condition.get("message", "The rollout is overdue."), stalled=True)
    return None


def rolling_out(deployment: ModelDeployment, seen: Observed, now: datetime) -> State | None:
    status = _status(seen)
    return State(
        "RollingOut",
        f"Version {deployment.spec.model.version} is being rolled out: "
        f"{status.get('updatedReplicas', 0)} of its pods exist, {status.get('readyReplicas', 0)} pods answer.",
    )


Rule = Callable[[ModelDeployment, Observed, datetime], State | None]
RULES: tuple[Rule, ...] = (unreadable_uri, missing, in_service, in_trouble, no_pods_allowed, overdue, rolling_out)


def _status(seen: Observed) -> dict[str, Any]:
    return dict((seen.apps or {}).get("status", {}))


def _is_current(deployment: ModelDeployment, apps: Manifest) -> bool:
    """Whether the apps/v1 Deployment was made from this spec, and its controller has seen it."""
    made_from = apps["metadata"].get("annotations", {}).get(GENERATION)
    observed = apps.get("status", {}).get("observedGeneration", 0)
    generation = apps["metadata"].get("generation", 0)
    return bool(made_from == str(deployment.metadata.generation) and observed >= generation)


def _pod_ready(pod: Manifest) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", []))
