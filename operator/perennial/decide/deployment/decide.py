"""The decision on a Deployment: its children, their number, and its status."""

from collections.abc import Iterator
from datetime import datetime

from perennial.api import ModelDeployment
from perennial.api.deployment import Autoscaling, AutoscalingStatus, ModelDeploymentStatus
from perennial.decide import conditions
from perennial.decide.deployment import update
from perennial.decide.deployment.autoscaling import Scaling, scale
from perennial.decide.deployment.children import children, leftovers, url
from perennial.decide.deployment.observed import Observed
from perennial.decide.deployment.queries import queries
from perennial.decide.deployment.state import State, available, rolled_out, state
from perennial.decide.deployment.workload import selector
from perennial.decide.outcome import Event, Outcome, earliest, event_of, record
from perennial.decide.pods.diagnosis import MISSING_PERIOD, MOUNTING_PATIENCE, waits_for_volumes
from perennial.decide.readings import PERIOD


def decide(deployment: ModelDeployment, observed: Observed, now: datetime) -> Outcome:
    scaling = _scaling(deployment, observed, now)
    verdict = state(deployment, observed, now)
    held = update.is_held(deployment, observed)
    updated = update.up_to_date(observed.defaults.rollout, held=held)
    states = _states(deployment, observed, verdict, updated, scaling)
    status = _status(deployment, observed, states, scaling, now)
    blocked = verdict.reason == "InvalidUri" or (verdict.reason == "InputMissing" and observed.apps is None)
    return Outcome(
        status=status,
        apply=() if blocked else children(deployment, observed, _replicas(deployment), held=held),
        delete=() if blocked else leftovers(deployment, observed),
        events=tuple(_events(deployment, verdict, updated, scaling)),
        again_at=earliest(
            now + PERIOD if scaling else None,
            now + update.TURN_PERIOD if updated.reason == "UpdateWaiting" else None,
            now + MISSING_PERIOD if verdict.reason == "InputMissing" else None,
            now + MOUNTING_PATIENCE if not verdict.stalled and any(map(waits_for_volumes, observed.pods)) else None,
        ),
    )


def _replicas(deployment: ModelDeployment) -> int:
    """Replicas by the stored status, so that a number is recorded before it is acted on."""
    scaling = deployment.spec.autoscaling
    if scaling is None:
        return deployment.spec.replicas
    return min(max(_autoscaled(deployment, scaling).desired_replicas, scaling.min_replicas), scaling.max_replicas)


def _autoscaled(deployment: ModelDeployment, scaling: Autoscaling) -> AutoscalingStatus:
    """Last decision of the autoscaler; its first one starts from the replicas that the Deployment has had until now."""
    current = deployment.status.desired_replicas or max(deployment.spec.replicas, scaling.min_replicas)
    return deployment.status.autoscaling or AutoscalingStatus(desired_replicas=current)


def _scaling(deployment: ModelDeployment, observed: Observed, now: datetime) -> Scaling | None:
    spec = deployment.spec.autoscaling
    if spec is None:
        return None
    ready = observed.apps.ready_replicas if observed.apps else 0
    return scale(spec, _autoscaled(deployment, spec), ready, observed.readings, now)


def _status(
    deployment: ModelDeployment,
    observed: Observed,
    states: list[conditions.State],
    scaling: Scaling | None,
    now: datetime,
) -> ModelDeploymentStatus:
    at, before = deployment.metadata, deployment.status
    apps = observed.apps
    new = [scaling.decision] if scaling and scaling.decision else []
    return ModelDeploymentStatus(
        observed_generation=at.generation,
        conditions=conditions.conditions(states, before.conditions, at.generation, now),
        version=deployment.spec.model.version if rolled_out(deployment, observed) else before.version,
        replicas=apps.replicas if apps else 0,
        ready_replicas=apps.ready_replicas if apps else 0,
        desired_replicas=scaling.status.desired_replicas if scaling else _replicas(deployment),
        selector=",".join(f"{key}={value}" for key, value in selector(deployment).items()),
        url=url(deployment),
        autoscaling=scaling.status if scaling else None,
        decisions=record(before.decisions, new),
    )


def _states(
    deployment: ModelDeployment, observed: Observed, verdict: State, updated: conditions.State, scaling: Scaling | None
) -> list[conditions.State]:
    up, rolling = available(observed), not verdict.ready and not verdict.stalled
    states = [
        *conditions.summary(
            ready=verdict.ready, stalled=verdict.stalled, reason=verdict.reason, message=verdict.message
        ),
        conditions.State(
            "Available",
            up,
            "MinimumReplicasAvailable" if up else "NoReplicaAvailable",
            "At least one replica is ready." if up else "No replica is ready.",
        ),
        conditions.State("Progressing", rolling, verdict.reason, verdict.message),
        updated,
    ]
    if scaling:
        states += _scaling_state(deployment, observed, scaling)
    return states


def _scaling_state(deployment: ModelDeployment, observed: Observed, scaling: Scaling) -> list[conditions.State]:
    """As it was before the first reading of each metric, so that a start of the operator writes nothing."""
    if queries(deployment).keys() <= observed.readings.keys():
        return [conditions.State("Scaling", scaling.active, scaling.reason, scaling.message)]
    before = (condition for condition in deployment.status.conditions if condition.type == "Scaling")
    return [conditions.State(c.type, c.status == "True", c.reason, c.message) for c in before]


def _events(
    deployment: ModelDeployment, verdict: State, updated: conditions.State, scaling: Scaling | None
) -> Iterator[Event]:
    """An Event for a decision, for another reason of Ready, and for a change of the defaults that is held."""
    if scaling and scaling.decision:
        yield event_of(scaling.decision)
    before = {condition.type: condition.reason for condition in deployment.status.conditions}
    if verdict.reason != before.get("Ready"):
        yield Event(verdict.reason, verdict.message)
    if not updated.status and updated.reason != before.get("UpToDate"):
        yield Event(updated.reason, updated.message)
