"""How the service is: a chain of rules, of which the first that speaks decides."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from perennial.api import ModelDeployment
from perennial.decide.deployment.observed import Observed
from perennial.decide.kube import AppsView, condition, is_true, true_condition
from perennial.decide.labels import GENERATION, MODEL_VERSION
from perennial.decide.pods.diagnosis import trouble
from perennial.decide.pods.template import Volumes


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
    return is_true(seen.apps, "Available")


def rolled_out(deployment: ModelDeployment, seen: Observed) -> bool:
    """Whether all pods are of the current spec and answer, and no other pod is left."""
    apps = seen.apps
    if apps is None or not _is_current(deployment, apps):
        return False
    counts = (apps.replicas, apps.updated_replicas, apps.ready_replicas, apps.available_replicas)
    return all(count == apps.spec_replicas for count in counts)


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
    replicas = seen.apps.replicas if seen.apps else 0
    if not replicas:
        return State("ScaledToZero", "No replica, as spec.replicas is 0.", ready=True)
    return State("InService", f"Version {deployment.spec.model.version} answers on {replicas} replicas.", ready=True)


def in_trouble(deployment: ModelDeployment, seen: Observed, now: datetime) -> State | None:
    """A pod of the current version that can't get on; pods before it stay in service."""
    version = str(deployment.spec.model.version)
    for pod in seen.pods:
        if pod.labels.get(MODEL_VERSION) != version or pod.is_terminating:
            continue
        if not is_true(pod, "Ready") and (why := trouble(pod, now)):
            kept = " The pods before it stay in service." if available(seen) else ""
            return State(why.reason, why.message + kept, stalled=why.reason != "Unschedulable")
    return None


def no_pods_allowed(deployment: ModelDeployment, seen: Observed, now: datetime) -> State | None:
    """The API server refuses the pods: a quota, an admission policy."""
    failure = true_condition(seen.apps, "ReplicaFailure")
    return State("PodsRefused", f"A pod was refused: {failure.message}.", stalled=True) if failure else None


def overdue(deployment: ModelDeployment, seen: Observed, now: datetime) -> State | None:
    progressing = condition(seen.apps, "Progressing")
    if progressing is None or progressing.reason != "ProgressDeadlineExceeded":
        return None
    return State("ProgressDeadlineExceeded", progressing.message or "The rollout is overdue.", stalled=True)


def rolling_out(deployment: ModelDeployment, seen: Observed, now: datetime) -> State | None:
    updated, ready = (seen.apps.updated_replicas, seen.apps.ready_replicas) if seen.apps else (0, 0)
    return State(
        "RollingOut",
        f"Version {deployment.spec.model.version} is being rolled out: "
        f"{updated} of its pods exist, {ready} pods answer.",
    )


Rule = Callable[[ModelDeployment, Observed, datetime], State | None]
RULES: tuple[Rule, ...] = (unreadable_uri, missing, in_service, in_trouble, no_pods_allowed, overdue, rolling_out)


def _is_current(deployment: ModelDeployment, apps: AppsView) -> bool:
    """Whether the apps/v1 Deployment was made from this spec, and its controller has seen it."""
    built_from = apps.annotations.get(GENERATION)
    return built_from == str(deployment.metadata.generation) and apps.observed_generation >= apps.generation
