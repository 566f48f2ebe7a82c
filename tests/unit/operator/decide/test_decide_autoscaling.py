"""The number of replicas: the HorizontalPodAutoscaler's rules as a table, and what always holds."""

import math
from datetime import timedelta

import pytest
from given import NOW, after
from hypothesis import given
from hypothesis import strategies as st

from perennial.api.deployment import Autoscaling, AutoscalingStatus, Recommendation, ScalingMetric
from perennial.decide.deployment.autoscaling import scale

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


# spec, status before, ready pods, load on queue-depth; replicas.
NUMBERS: dict[str, tuple[Autoscaling, AutoscalingStatus, int, float, int]] = {
    "Load on target changes nothing": (spec(), at(2), 2, 8.0, 2),
    "Ten percent over is within the tolerance": (spec(), at(2), 2, 8.8, 2),
    "More than ten percent over is not": (spec(), at(2), 2, 8.9, 3),
    "Ten percent under is within the tolerance": (spec(), at(4), 4, 14.4, 4),
    "The number is rounded up": (spec(), at(1), 1, 9.0, 3),
    "No load leaves the least": (spec(2), at(5), 5, 0.0, 2),
    "A negative load is none": (spec(), at(3), 3, -5.0, 1),
    "Never more than the most": (spec(1, 3), at(3), 3, 400.0, 3),
    "It grows by four at most from one ready pod": (spec(1, 100), at(1), 1, 400.0, 5),
    "It doubles at most from ten ready pods": (spec(1, 100), at(10), 10, 4000.0, 20),
    "Pods that are not ready yet don't make it grow further": (spec(1, 100), at(5), 1, 400.0, 5),
    "It shrinks only to the most that was asked for in the window": (
        spec(down="5m"), at(4, (600, 4), (200, 2)), 4, 4.0, 4,
    ),
    "It shrinks when the window has passed": (spec(down="5m"), at(4, (900, 4), (300, 2)), 4, 8.0, 2),
    "It grows only to the least that was asked for in the window": (
        spec(up="1m"), at(1, (300, 1), (30, 2)), 1, 12.0, 1,
    ),
    "It grows when the window has passed": (spec(up="1m"), at(1, (300, 1), (60, 3)), 1, 12.0, 3),
}  # fmt: skip


@pytest.mark.parametrize("case", NUMBERS)
def test_number(case: str) -> None:
    limits, before, ready, load, expected = NUMBERS[case]
    found = scale(limits, before, ready, {"queue-depth": load}, NOW)
    assert found.status.desired_replicas == expected
    assert (found.decision is None) == (expected == before.desired_replicas)


# What the metrics say for 3 replicas; the number.
MISSING = {
    "Nothing is known": ({}, 3),
    "The one metric has no data": ({"queue-depth": "no data", "other": "no data"}, 3),
    "NaN is no value": ({"queue-depth": math.nan, "other": math.nan}, 3),
    "Infinity is no value": ({"queue-depth": math.inf, "other": math.inf}, 3),
    "One is missing, and the other asks for fewer": ({"queue-depth": "no data", "other": 10.0}, 3),
    "One is NaN, and the other asks for fewer": ({"queue-depth": math.nan, "other": 10.0}, 3),
    "One is missing, and the other asks for more": ({"queue-depth": "no data", "other": 50.0}, 5),
    "Both are there, and the higher counts": ({"queue-depth": 24.0, "other": 10.0}, 6),
}


@pytest.mark.parametrize("case", MISSING)
def test_what_is_missing_never_scales_down(case: str) -> None:
    readings, expected = MISSING[case]
    found = scale(spec(1, 10, QUEUE, OTHER), at(3), 3, readings, NOW)
    assert found.status.desired_replicas == expected
    assert found.active == (expected != 3)


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
