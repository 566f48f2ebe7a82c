"""What the operator tells Prometheus about its objects and about its own work."""

import time
from typing import Any

import pytest
from prometheus_client import generate_latest

from perennial.kube.cache import Cache
from perennial.kube.keys import Key
from perennial.loop.metrics import Metrics
from perennial.loop.repairs import Child, RepairMemory, Repairs
from perennial_testing.specs.api_objects import true

KEY = Key("LanguageModel", "demo", "writer")
AT_NOON = "2026-03-01T12:00:00Z"
NOON = 1772366400.0


@pytest.fixture
def cache() -> Cache:
    return Cache(lambda key: None)


@pytest.fixture
def repairs() -> RepairMemory:
    return RepairMemory()


@pytest.fixture
def metrics(cache: Cache, repairs: RepairMemory) -> Metrics:
    metrics = Metrics()
    metrics.describes(cache, repairs, lambda: 3)
    return metrics


def put(
    cache: Cache, kind: str, name: str, status: dict[str, Any], version: str = "perennial.dev/v1alpha1", **at: Any
) -> None:
    metadata = {"name": name, "namespace": "demo", "uid": f"{kind}-{name}", "resourceVersion": "1"}
    cache.put({"apiVersion": version, "kind": kind, "metadata": metadata | at, "status": status})


def value(metrics: Metrics, series: str, /, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(series, labels)


def test_each_object_has_its_conditions_by_name_with_their_reason(cache: Cache, metrics: Metrics) -> None:
    blind = true("Scaling", "MetricMissing") | {"status": "False"}
    put(cache, "Deployment", "writer", {"conditions": [true("Ready", "InService"), blind, true("Available")]})
    at = {"kind": "Deployment", "namespace": "demo", "name": "writer"}
    assert value(metrics, "perennial_condition", type="Ready", reason="InService", **at) == 1
    assert value(metrics, "perennial_condition", type="Scaling", reason="MetricMissing", **at) == 0
    assert generate_latest(metrics.registry).decode().count("\nperennial_condition{") == 2
    assert value(metrics, "perennial_objects", kind="Deployment", state="Ready") == 1


def test_an_object_that_was_not_looked_at_has_no_condition(cache: Cache, metrics: Metrics) -> None:
    put(cache, "TrainingJob", "new", {})
    assert value(metrics, "perennial_objects", kind="TrainingJob", state="Unknown") == 1
    assert "\nperennial_condition{" not in generate_latest(metrics.registry).decode()


def test_the_last_training_of_each_outcome_counts(cache: Cache, metrics: Metrics) -> None:
    def ended(number: int, minute: int, **facts: Any) -> dict[str, Any]:
        return {"number": number, "completionTime": f"2026-03-01T12:{minute:02}:00Z"} | facts

    versions = [
        ended(1, 0, passedGates=True),
        ended(2, 1),
        ended(3, 2),
        ended(4, 3, supersededTime=AT_NOON),
        {"number": 5},
    ]
    put(cache, "LanguageModel", "writer", {"versions": versions})
    name, at = "perennial_last_training_end_timestamp_seconds", {"namespace": "demo", "languagemodel": "writer"}
    assert value(metrics, name, outcome="accepted", **at) == NOON
    assert value(metrics, name, outcome="failed", **at) == NOON + 120
    assert value(metrics, name, outcome="refused", **at) is None


def test_a_trigger_whose_metric_has_no_value_is_blind(cache: Cache, metrics: Metrics) -> None:
    triggers = [
        {"name": "drift", "metric": {"missing": "the query returns no data"}},
        {"name": "errors", "metric": {}},
        {"name": "weekly", "schedule": {"evaluatedUntilTime": AT_NOON}},
    ]
    put(cache, "LanguageModel", "writer", {"triggers": triggers})
    name, at = "perennial_trigger_blind", {"namespace": "demo", "languagemodel": "writer"}
    assert [value(metrics, name, trigger=each["name"], **at) for each in triggers] == [1, 0, None]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        pytest.param([], NOON, id="it runs, or its pod is refused"),
        pytest.param([true("Complete")], None, id="it is complete"),
        pytest.param([true("Failed")], None, id="it has failed"),
    ],
)
def test_a_cleanup_counts_from_its_start_to_its_end(
    cache: Cache, metrics: Metrics, conditions: list[dict[str, Any]], expected: float | None
) -> None:
    labels = {"perennial.dev/owner-kind": "LanguageModel", "perennial.dev/owner-name": "writer"}
    put(
        cache,
        "Job",
        "writer-v1-cleanup",
        {"conditions": conditions},
        "batch/v1",
        labels=labels,
        creationTimestamp=AT_NOON,
    )
    training = labels | {"perennial.dev/owner-kind": "TrainingJob"}
    put(cache, "Job", "writer-v2", {}, "batch/v1", labels=training, creationTimestamp=AT_NOON)
    name, at = "perennial_cleanup_start_timestamp_seconds", {"namespace": "demo", "languagemodel": "writer"}
    assert value(metrics, name, job="writer-v1-cleanup", **at) == expected
    assert value(metrics, name, job="writer-v2", **at) is None


def test_a_child_that_is_changed_again_and_again_is_named_with_its_owner(
    repairs: RepairMemory, metrics: Metrics
) -> None:
    now = time.monotonic()
    repairs.put(Child(KEY, "Deployment", "writer"), Repairs("digest", writes=4, time=now), now)
    at = {"kind": "LanguageModel", "namespace": "demo", "name": "writer", "child_kind": "Deployment", "child": "writer"}
    assert value(metrics, "perennial_child_repairs", **at) == 3
    repairs.forget(KEY)
    assert value(metrics, "perennial_child_repairs", **at) is None


def test_its_own_work_is_measured(metrics: Metrics) -> None:
    metrics.waited(KEY, 0.2)
    metrics.requested("GET", 0, 5.0)
    metrics.asked("failed", 5.0)
    metrics.decided(KEY, "VersionAccepted")
    assert value(metrics, "perennial_queue_seconds_sum", kind="LanguageModel") == 0.2
    assert value(metrics, "perennial_api_request_seconds_count", verb="GET", code="0") == 1
    assert value(metrics, "perennial_prometheus_request_seconds_sum", result="failed") == 5.0
    decided = {"kind": "LanguageModel", "namespace": "demo", "reason": "VersionAccepted"}
    assert value(metrics, "perennial_decisions_total", **decided) == 1
    assert value(metrics, "perennial_queue_depth") == 3
    assert "perennial_build_info{" in generate_latest(metrics.registry).decode()
