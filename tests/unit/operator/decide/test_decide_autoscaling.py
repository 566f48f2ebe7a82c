"""The number of replicas: the HorizontalPodAutoscaler's rules as a table, and what always holds."""

import math
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.api.deployment import Autoscaling, AutoscalingStatus, Recommendation, ScalingMetric
from perennial.decide.deployment.autoscaling import scale
from perennial_testing.specs.api_objects import NOW, after

QUEUE = ScalingMetric(name="queue-depth", target=4)
OTHER = ScalingMetric(name="other", query="x", target=10)


def spec(least: int = 1, most: int = 10, *metrics: ScalingMetric, up: str = "0s", down: str = "0s") -> Autoscaling:
    return Autoscaling(
        min_replicas=least,
        max_replicas=most,
        metrics=list(metrics or [QUEUE]),
        scale_up_stabilization=up,
        scale_down_stabilization=down,
    )


def at(replicas: int, *history: tuple[int, int]) -> AutoscalingStatus:
    """So many replicas; and what was asked for: how many seconds before NOW, and how many."""
    kept = [Recommendation(start_time=after(seconds=-ago), replicas=number) for ago, number in history]
    return AutoscalingStatus(desired_replicas=replicas, recommendations=kept)


@dataclass(frozen=True)
class NumberCase:
    """The limits, the last decision, the ready pods and the load on queue-depth; and the new number."""

    before: AutoscalingStatus
    ready: int
    load: float
    desired: int
    limits: Autoscaling = field(default_factory=spec)


NUMBERS = {
    "Load on target changes nothing": NumberCase(before=at(2), ready=2, load=8.0, desired=2),
    "Ten percent over is within the tolerance": NumberCase(before=at(2), ready=2, load=8.8, desired=2),
    "More than ten percent over is not": NumberCase(before=at(2), ready=2, load=8.9, desired=3),
    "Ten percent under is within the tolerance": NumberCase(before=at(4), ready=4, load=14.4, desired=4),
    "The number is rounded up": NumberCase(before=at(1), ready=1, load=9.0, desired=3),
    "No load leaves the minimum": NumberCase(limits=spec(2), before=at(5), ready=5, load=0.0, desired=2),
    "A negative load is none": NumberCase(before=at(3), ready=3, load=-5.0, desired=1),
    "Never more than the maximum": NumberCase(limits=spec(1, 3), before=at(3), ready=3, load=400.0, desired=3),
    "It grows by four at most from one ready pod": NumberCase(
        limits=spec(1, 100), before=at(1), ready=1, load=400.0, desired=5
    ),
    "It doubles at most from ten ready pods": NumberCase(
        limits=spec(1, 100), before=at(10), ready=10, load=4000.0, desired=20
    ),
    "Pods that are not ready yet don't make it grow further": NumberCase(
        limits=spec(1, 100), before=at(5), ready=1, load=400.0, desired=5
    ),
    "It shrinks only to the highest recommendation of the window": NumberCase(
        limits=spec(down="5m"), before=at(4, (600, 4), (200, 2)), ready=4, load=4.0, desired=4
    ),
    "It shrinks when the window has passed": NumberCase(
        limits=spec(down="5m"), before=at(4, (900, 4), (300, 2)), ready=4, load=8.0, desired=2
    ),
    "Recommendations of the future, by a clock that was set back, do not hold it": NumberCase(
        before=at(1, (-3000, 1), (-3600, 2)), ready=1, load=12.0, desired=3
    ),
    "It grows only to the lowest recommendation of the window": NumberCase(
        limits=spec(up="1m"), before=at(1, (300, 1), (30, 2)), ready=1, load=12.0, desired=1
    ),
    "It grows when the window has passed": NumberCase(
        limits=spec(up="1m"), before=at(1, (300, 1), (60, 3)), ready=1, load=12.0, desired=3
    ),
}


@pytest.mark.parametrize("case", NUMBERS.values(), ids=NUMBERS)
def test_number(case: NumberCase) -> None:
    scaling = scale(case.limits, case.before, case.ready, {"queue-depth": case.load}, NOW)
    assert scaling.status.desired_replicas == case.desired
    assert (scaling.decision is None) == (case.desired == case.before.desired_replicas)


@dataclass(frozen=True)
class MissingCase:
    """The readings for 3 replicas; and the new number."""

    readings: dict[str, float | str]
    desired: int


MISSING = {
    "Nothing is known": MissingCase({}, desired=3),
    "No metric has data": MissingCase({"queue-depth": "no data", "other": "no data"}, desired=3),
    "NaN is no value": MissingCase({"queue-depth": math.nan, "other": math.nan}, desired=3),
    "Infinity is no value": MissingCase({"queue-depth": math.inf, "other": math.inf}, desired=3),
    "One is missing, and the other recommends fewer": MissingCase({"queue-depth": "no data", "other": 10.0}, desired=3),
    "One is NaN, and the other recommends fewer": MissingCase({"queue-depth": math.nan, "other": 10.0}, desired=3),
    "One is missing, and the other recommends more": MissingCase({"queue-depth": "no data", "other": 50.0}, desired=5),
    "Both have a value, and the higher counts": MissingCase({"queue-depth": 24.0, "other": 10.0}, desired=6),
}


@pytest.mark.parametrize("case", MISSING.values(), ids=MISSING)
def test_a_missing_value_never_scales_down(case: MissingCase) -> None:
    scaling = scale(spec(1, 10, QUEUE, OTHER), at(3), 3, case.readings, NOW)
    assert scaling.status.desired_replicas == case.desired
    assert scaling.active == (case.desired != 3)


def test_the_window_outlives_the_operator() -> None:
    limits = spec(down="5m")
    busy = scale(limits, at(1), 1, {"queue-depth": 16.0}, NOW).status
    stored = AutoscalingStatus.model_validate(busy.to_wire())
    assert scale(limits, stored, 4, {"queue-depth": 0.0}, after(minutes=4)).status.desired_replicas == 4
    idle = scale(limits, stored, 4, {"queue-depth": 0.0}, after(minutes=1)).status
    assert scale(limits, idle, 4, {"queue-depth": 0.0}, after(minutes=6)).status.desired_replicas == 1


def test_limits_that_changed_hold_without_metrics_and_are_recorded() -> None:
    found = scale(spec(3), at(1), 1, {}, NOW)
    assert found.status.desired_replicas == 3
    assert found.decision
    assert found.decision.reason == "ScaledUp"


WINDOWS = st.sampled_from(["0s", "30s", "1m", "5m"])
LOADS = st.floats(-10, 1000) | st.sampled_from([math.nan, math.inf, "no data"])


@st.composite
def limits(draw: st.DrawFn) -> Autoscaling:
    least = draw(st.integers(1, 20))
    return spec(least, draw(st.integers(least, 60)), up=draw(WINDOWS), down=draw(WINDOWS))


@given(limits(), st.lists(st.tuples(st.integers(1, 200), st.integers(0, 60), LOADS), max_size=80), st.integers(0, 90))
def test_it_stays_within_the_limits_whatever_comes(
    limits: Autoscaling, script: list[tuple[int, int, float | str]], first: int
) -> None:
    status, now = AutoscalingStatus(desired_replicas=first), NOW
    for pause, ready, load in script:
        now += timedelta(seconds=pause)
        before = status.desired_replicas
        found = scale(limits, status, ready, {"queue-depth": load}, now)
        status = AutoscalingStatus.model_validate(found.status.to_wire())
        assert status == found.status
        assert limits.min_replicas <= status.desired_replicas <= limits.max_replicas
        assert len(status.recommendations) <= 64
        assert (found.decision is not None) == (status.desired_replicas != before)


@given(limits(), st.integers(1, 90), st.floats(0, 1000))
def test_a_steady_load_settles_and_then_costs_no_write(limits: Autoscaling, first: int, load: float) -> None:
    status, now, kept = AutoscalingStatus(desired_replicas=first), NOW, []
    for _ in range(200):
        now += timedelta(seconds=15)
        # All pods become ready between two looks.
        status = scale(limits, status, status.desired_replicas, {"queue-depth": load}, now).status
        kept.append(status)
    assert len({status.model_dump_json() for status in kept[-20:]}) == 1
    share = load / (4 * status.desired_replicas)
    assert abs(share - 1) <= 0.1 or status.desired_replicas == min(
        max(math.ceil(load / 4), limits.min_replicas), limits.max_replicas
    )


@given(
    limits(),
    st.integers(1, 60),
    st.lists(st.tuples(st.integers(0, 400), st.integers(1, 60)), max_size=5),
    st.integers(0, 60),
    st.floats(0, 1000),
    st.floats(0, 1000),
)
def test_more_load_never_asks_for_fewer(
    limits: Autoscaling, first: int, history: list[tuple[int, int]], ready: int, load: float, more: float
) -> None:
    before = at(first, *sorted(history, reverse=True))
    less, greater = (
        scale(limits, before, ready, {"queue-depth": value}, NOW).status.desired_replicas
        for value in (load, load + more)
    )
    assert less <= greater
