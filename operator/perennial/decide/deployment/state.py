"""State of the deployment: an ordered chain of rules; the first match wins."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from perennial.api import ModelDeployment
from perennial.decide.deployment.observed import Observed
from perennial.decide.kube import AppsView, condition, is_true, true_condition
from perennial.decide.labels import GENERATION, MODEL_VERSION
from perennial.decide.pods.diagnosis import trouble
from perennial.decide.pods.disruption import disruption, last_disruption
from perennial.decide.pods.template import Volumes


@dataclass(frozen=True)
class State:
    """Whether the spec is fully rolled out, or stalled, and why."""

    reason: str
    message: str
    ready: bool = False
    stalled: bool = False


def state(deployment: ModelDeployment, observed: Observed, now: datetime) -> State:
    """The verdict of the first rule that matches."""
    return next(verdict for rule in RULES if (verdict := rule(deployment, observed, now)))


def available(observed: Observed) -> bool:
    """Whether the apps/v1 Deployment has its minimum of available pods."""
    return is_true(observed.apps, "Available")


def rolled_out(deployment: ModelDeployment, observed: Observed) -> bool:
    """Whether all pods are of the current spec and ready, and no other pod is left."""
    apps = observed.apps
    if apps is None or not _is_current(deployment, apps):
        return False
    counts = (apps.replicas, apps.updated_replicas, apps.ready_replicas, apps.available_replicas)
    return all(count == apps.spec_replicas for count in counts)


def unreadable_uri(deployment: ModelDeployment, observed: Observed, now: datetime) -> State | None:
    try:
        Volumes.of([deployment.spec.model.uri])
    except ValueError as error:
        return State("InvalidUri", f"{error}.", stalled=True)
    return None


def missing(deployment: ModelDeployment, observed: Observed, now: datetime) -> State | None:
    if not observed.missing:
        return None
    inputs = " and ".join(observed.missing)
    message = f'{inputs} not found in namespace "{deployment.metadata.namespace}"; create it to start the rollout.'
    return State("InputMissing", message, stalled=True)


def in_service(deployment: ModelDeployment, observed: Observed, now: datetime) -> State | None:
    if not rolled_out(deployment, observed):
        return None
    replicas = observed.apps.replicas if observed.apps else 0
    if not replicas:
        return State("ScaledToZero", "Scaled to zero, as spec.replicas is 0.", ready=True)
    version = deployment.spec.model.version
    return State("InService", f"Version {version} is ready on {count(replicas, 'replica')}.", ready=True)


def in_trouble(deployment: ModelDeployment, observed: Observed, now: datetime) -> State | None:
    """A pod of the current version can't start; pods of an earlier spec keep serving."""
    version = str(deployment.spec.model.version)
    for pod in sorted(observed.pods, key=lambda pod: pod.created, reverse=True):
        if pod.labels.get(MODEL_VERSION) != version or pod.is_terminating:
            continue
        if not is_true(pod, "Ready") and (cause := trouble(pod, now)):
            addition = " The pods that are ready keep serving." if available(observed) else ""
            return State(cause.reason, cause.message + addition, stalled=cause.reason != "Unschedulable")
    return None


def disrupted(deployment: ModelDeployment, observed: Observed, now: datetime) -> State | None:
    """A pod of the current version is being taken away, or its node is lost; another one follows by itself."""
    for pod in observed.pods:
        if pod.labels.get(MODEL_VERSION) == str(deployment.spec.model.version) and (cause := disruption(pod)):
            return State(cause.reason, cause.message)
    return None


def no_pods_allowed(deployment: ModelDeployment, observed: Observed, now: datetime) -> State | None:
    """The API server refuses the pods: a quota, an admission policy."""
    failure = true_condition(observed.apps, "ReplicaFailure")
    return State("PodsRefused", f"The API server refuses pods: {failure.message}.", stalled=True) if failure else None


def overdue(deployment: ModelDeployment, observed: Observed, now: datetime) -> State | None:
    progressing = condition(observed.apps, "Progressing")
    if progressing is None or progressing.reason != "ProgressDeadlineExceeded":
        return None
    message = progressing.message or "The rollout has exceeded its deadline."
    return State("ProgressDeadlineExceeded", message, stalled=True)


def recovering(deployment: ModelDeployment, observed: Observed, now: datetime) -> State | None:
    """Another pod loads the model in the place of the one that was taken away."""
    cause = last_disruption(deployment.status.conditions, deployment.metadata.generation)
    return State(cause.reason, cause.message) if cause else None


def rolling_out(deployment: ModelDeployment, observed: Observed, now: datetime) -> State | None:
    updated, ready = (observed.apps.updated_replicas, observed.apps.ready_replicas) if observed.apps else (0, 0)
    return State(
        "RollingOut",
        f"Rolling out version {deployment.spec.model.version}: {count(updated, 'pod')} updated, {ready} ready.",
    )


Rule = Callable[[ModelDeployment, Observed, datetime], State | None]
RULES: tuple[Rule, ...] = (
    unreadable_uri,
    missing,
    in_service,
    in_trouble,
    disrupted,
    no_pods_allowed,
    overdue,
    recovering,
    rolling_out,
)


def count(number: int, noun: str) -> str:
    """A number and its noun: "1 pod", "2 pods"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _is_current(deployment: ModelDeployment, apps: AppsView) -> bool:
    """Whether the apps/v1 Deployment was built from this spec, and its controller has observed it."""
    built_from = apps.annotations.get(GENERATION)
    return built_from == str(deployment.metadata.generation) and apps.is_observed
