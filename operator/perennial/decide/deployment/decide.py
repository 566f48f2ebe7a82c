"""What follows for a Deployment: pods, a Service, their number, and a status."""

from datetime import datetime, timedelta

from perennial.api import ModelDeployment
from perennial.api.common import Condition
from perennial.api.deployment import Autoscaling, AutoscalingStatus, ModelDeploymentStatus
from perennial.decide import conditions
from perennial.decide.deployment.autoscaling import PERIOD, Scaling, scale
from perennial.decide.deployment.observed import Observed
from perennial.decide.deployment.state import State, available, rolled_out, state
from perennial.decide.deployment.workload import children, selector
from perennial.decide.outcome import Event, Outcome, earliest, event_of, record
from perennial.decide.pods.diagnosis import MOUNTING_PATIENCE, waits_for_volumes

MISSING_PERIOD = timedelta(seconds=10)


def decide(deployment: ModelDeployment, seen: Observed, now: datetime) -> Outcome:
    """Pure."""
    scaling = _scaling(deployment, seen, now)
    found = state(deployment, seen, now)
    status = _status(deployment, seen, found, scaling, now)
    blocked = found.reason == "InvalidUri" or (found.reason == "InputMissing" and seen.apps is None)
    return Outcome(
        status=status,
        apply=() if blocked else children(deployment, seen, _replicas(deployment)),
        events=_events(deployment, found, scaling),
        again_at=earliest(
            now + PERIOD if scaling else None,
            now + MISSING_PERIOD if found.reason == "InputMissing" else None,
            now + MOUNTING_PATIENCE if not found.stalled and any(map(waits_for_volumes, seen.pods)) else None,
        ),
    )


def _replicas(deployment: ModelDeployment) -> int:
    """What the stored status says, so that a number is recorded before it is acted on."""
    scaling = deployment.spec.autoscaling
    if scaling is None:
        return 1 if deployment.spec.replicas is None else deployment.spec.replicas
    return min(max(_autoscaled(deployment, scaling).desired_replicas, scaling.min_replicas), scaling.max_replicas)


def _autoscaled(deployment: ModelDeployment, scaling: Autoscaling) -> AutoscalingStatus:
    """What the autoscaler decided last; it begins with the number that was there before it."""
    so_far = deployment.status.desired_replicas or scaling.min_replicas
    return deployment.status.autoscaling or AutoscalingStatus(desired_replicas=so_far)


def _scaling(deployment: ModelDeployment, seen: Observed, now: datetime) -> Scaling | None:
    spec = deployment.spec.autoscaling
    if spec is None:
        return None
    ready = seen.apps.ready_replicas if seen.apps else 0
    return scale(spec, _autoscaled(deployment, spec), ready, seen.readings, now)


def _status(
    deployment: ModelDeployment, seen: Observed, found: State, scaling: Scaling | None, now: datetime
) -> ModelDeploymentStatus:
    at, before = deployment.metadata, deployment.status
    apps = seen.apps
    new = [scaling.decision] if scaling and scaling.decision else []
    return ModelDeploymentStatus(
        observed_generation=at.generation,
        conditions=_conditions(deployment, seen, found, scaling, now),
        version=deployment.spec.model.version if rolled_out(deployment, seen) else before.version,
        replicas=apps.replicas if apps else 0,
        ready_replicas=apps.ready_replicas if apps else 0,
        desired_replicas=scaling.status.desired_replicas if scaling else _replicas(deployment),
        selector=",".join(f"{key}={value}" for key, value in selector(deployment).items()),
        url=_url(deployment),
        autoscaling=scaling.status if scaling else None,
        decisions=record(before.decisions, new),
    )


def _url(deployment: ModelDeployment) -> str:
    """As clients want it: those of OpenAI with the version of the API, that of Hugging Face without."""
    at = deployment.metadata
    path = "/v1" if deployment.spec.model.task == "text-generation" else ""
    return f"http://{at.name}.{at.namespace}.svc{path}"


def _conditions(
    deployment: ModelDeployment, seen: Observed, found: State, scaling: Scaling | None, now: datetime
) -> list[Condition]:
    up, rolling = available(seen), not found.ready and not found.stalled
    states = [
        *conditions.summary(ready=found.ready, stalled=found.stalled, reason=found.reason, message=found.message),
        conditions.State(
            "Available",
            up,
            "MinimumReplicasAvailable" if up else "NoReplicaAvailable",
            "The model answers." if up else "No replica answers.",
        ),
        conditions.State("Progressing", rolling, found.reason, found.message),
    ]
    if scaling:
        states.append(conditions.State("Scaling", scaling.active, scaling.reason, scaling.message))
    return conditions.conditions(states, deployment.status.conditions, deployment.metadata.generation, now)


def _events(deployment: ModelDeployment, found: State, scaling: Scaling | None) -> tuple[Event, ...]:
    """A decision, and a change of the reason."""
    decided = (event_of(scaling.decision),) if scaling and scaling.decision else ()
    before = next((c.reason for c in deployment.status.conditions if c.type == "Ready"), None)
    if found.reason == before:
        return decided
    return (*decided, Event(found.reason, found.message))
