"""Desired number of replicas by load, with the algorithm of the HorizontalPodAutoscaler.

https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details, for metrics of the
type AverageValue. Recommendations are kept in the status, one per change, so that the stabilization windows
outlive the operator and a steady load costs no write.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from perennial.api.deployment import Autoscaling, AutoscalingStatus, Recommendation, ScalingMetric
from perennial.api.duration import seconds
from perennial.api.status import Decision
from perennial.decide.readings import reading

KEPT = 64


@dataclass(frozen=True)
class Scaling:
    """Result of the autoscaler: its status, the condition Scaling, and the decision if the number changes."""

    status: AutoscalingStatus
    active: bool
    reason: str
    message: str
    decision: Decision | None = None


def scale(
    spec: Autoscaling, before: AutoscalingStatus, ready: int, readings: dict[str, float | str], now: datetime
) -> Scaling:
    """The next number of replicas.

    before: the last decision; at first the current number and no recommendation.
    ready: ready pods; the number at most doubles or grows by 4 from there, as with the HPA's default policy.
    readings: value of each metric over all replicas, or why it has none; a missing value never scales down.
    """
    current = _clamp(spec, before.desired_replicas)
    # The first number counts as a recommendation, so that it is not scaled down at once.
    history = _not_ahead(before.recommendations, now) or [Recommendation(start_time=now, replicas=current)]
    missing = {metric.name: text for metric in spec.metrics if isinstance(text := reading(metric.name, readings), str)}
    recommended = _recommended(spec, current, readings)
    if recommended is None or (missing and recommended < current):
        reasons = "; ".join(f"{name}: {reason}" for name, reason in missing.items())
        held = AutoscalingStatus(desired_replicas=current, recommendations=history)
        decision = _decision(spec, before, current, f"{before.desired_replicas} replicas are outside the limits", now)
        return Scaling(held, False, "MetricsMissing", f"Holding {current} replicas: {reasons}.", decision)
    recommended = min(recommended, max(2 * ready, ready + 4, current))
    history = _remember(spec, history, _clamp(spec, recommended), now)
    desired = _clamp(spec, _stabilized(spec, history, current, now))
    observed = "; ".join(f"{m.name} {reading(m.name, readings)}, target {m.target:g} per replica" for m in spec.metrics)
    status = AutoscalingStatus(desired_replicas=desired, recommendations=history)
    decision = _decision(spec, before, desired, observed, now)
    return Scaling(
        status, True, "Scaling", f"{desired} replicas, within {spec.min_replicas} to {spec.max_replicas}.", decision
    )


def _not_ahead(history: list[Recommendation], now: datetime) -> list[Recommendation]:
    """A recommendation of the future was made by a clock that has been set back since; it counts from now on."""
    return [entry.model_copy(update={"start_time": min(entry.start_time, now)}) for entry in history]


def _recommended(spec: Autoscaling, current: int, readings: dict[str, float | str]) -> int | None:
    """The highest recommendation of all metrics; None if none has a value."""
    values = [(metric, reading(metric.name, readings)) for metric in spec.metrics]
    numbers = [
        _replicas(metric, value, current, spec.tolerance) for metric, value in values if isinstance(value, float)
    ]
    return max(numbers, default=None)


def _replicas(metric: ScalingMetric, value: float, current: int, tolerance: float) -> int:
    """ceil(value / target), but the current number if the load per replica is within the tolerance."""
    if current and 1 - tolerance <= value / (metric.target * current) <= 1 + tolerance:
        return current
    return math.ceil(max(value, 0.0) / metric.target)


def _clamp(spec: Autoscaling, replicas: int) -> int:
    return min(max(replicas, spec.min_replicas), spec.max_replicas)


def _remember(spec: Autoscaling, history: list[Recommendation], replicas: int, now: datetime) -> list[Recommendation]:
    """Adds the recommendation if it differs, and drops those that have left both windows."""
    if not history or history[-1].replicas != replicas:
        history = [*history, Recommendation(start_time=now, replicas=replicas)]
    longest = max(seconds(spec.scale_up_stabilization), seconds(spec.scale_down_stabilization))
    return _within(history, longest, now)[-KEPT:]


def _within(history: list[Recommendation], window: int, now: datetime) -> list[Recommendation]:
    """Recommendations in force at some time in the window: each is in force until the next one."""
    start = now - timedelta(seconds=window)
    ends = [*(later.start_time for later in history[1:]), None]
    return [entry for entry, end in zip(history, ends, strict=True) if end is None or end > start]


def _stabilized(spec: Autoscaling, history: list[Recommendation], current: int, now: datetime) -> int:
    """Up to the lowest of the one window, down to the highest of the other."""
    up = min(_numbers(_within(history, seconds(spec.scale_up_stabilization), now)))
    down = max(_numbers(_within(history, seconds(spec.scale_down_stabilization), now)))
    return min(max(current, up), down)


def _numbers(history: list[Recommendation]) -> Iterable[int]:
    return (entry.replicas for entry in history)


def _decision(
    spec: Autoscaling, before: AutoscalingStatus, desired: int, observed: str, now: datetime
) -> Decision | None:
    if before.desired_replicas == desired:
        return None
    up = desired > before.desired_replicas
    window = spec.scale_up_stabilization if up else spec.scale_down_stabilization
    return Decision(
        decision_time=now,
        reason="ScaledUp" if up else "ScaledDown",
        rule=f"autoscaling between {spec.min_replicas} and {spec.max_replicas}, stabilized over {window}",
        observed=observed,
        outcome=f"scaled from {before.desired_replicas} to {desired} replicas",
    )
