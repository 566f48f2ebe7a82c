"""Metrics about objects, computed from the cache at each scrape, so that none is stale.

Their number is bounded by that of the objects: versions and TrainingJobs by the history limits.
"""

import time
from collections import Counter as Tally
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from perennial.decide.kube import JobView
from perennial.decide.labels import OWNER_KIND, OWNER_NAME
from perennial.decide.language_model.cleanup import is_cleanup_name
from perennial.decide.outcome import Manifest
from perennial.kube.cache import Cache
from perennial.kube.resources import JOB, OWN
from perennial.loop.repairs import RepairMemory
from perennial_contract import metrics
from perennial_contract.metrics import PrometheusMetric

# Conditions that an alert asks for; the others follow from them or are those of one moment.
_CONDITIONS = ("Ready", "Stalled", "UpToDate", "Scaling")


class ObjectMetrics(Collector):
    """Metrics of the cached objects, and of the repairs of their children."""

    def __init__(self, cache: Cache, repairs: RepairMemory) -> None:
        self._cache = cache
        self._repairs = repairs

    def collect(self) -> Iterator[Metric]:
        yield from self._states()
        yield from self._models()
        yield self._cleanups()
        yield self._repaired()

    def _states(self) -> Iterator[Metric]:
        objects, conditions = _family(metrics.OBJECTS), _family(metrics.CONDITION)
        for kind, resource in OWN.items():
            states: Tally[str] = Tally()
            for manifest in self._cache.all(resource):
                states[_state(manifest)] += 1
                for each in _conditions(manifest):
                    if each["type"] in _CONDITIONS:
                        labels = (kind, *_name(manifest), each["type"], each["reason"])
                        conditions.add_metric(labels, each["status"] == "True")
            for state, number in states.items():
                objects.add_metric((kind, state), number)
        yield objects
        yield conditions

    def _models(self) -> Iterator[Metric]:
        serving, judged = _family(metrics.SERVING_VERSION), _family(metrics.VERSION_METRIC)
        ends, blind = _family(metrics.LAST_TRAINING_END), _family(metrics.TRIGGER_BLIND)
        for model in self._cache.all(OWN["LanguageModel"]):
            name, status = _name(model), model.get("status", {})
            versions = status.get("versions", [])
            if number := status.get("servingVersion"):
                serving.add_metric(name, number)
            for version in versions:
                for metric, value in version.get("metrics", {}).items():
                    judged.add_metric((*name, str(version["number"]), metric), value)
            for outcome, end in _last_ends(versions).items():
                ends.add_metric((*name, outcome), end)
            for trigger in status.get("triggers", []):
                if "metric" in trigger:
                    blind.add_metric((*name, trigger["name"]), "missing" in trigger["metric"])
        yield from (serving, judged, ends, blind)

    def _cleanups(self) -> Metric:
        starts = _family(metrics.CLEANUP_START)
        for job in self._cache.all(JOB):
            labels = job["metadata"].get("labels", {})
            namespace, name = _name(job)
            deletes = labels.get(OWNER_KIND) == "LanguageModel" and is_cleanup_name(name)
            if deletes and not JobView.of(job).has_ended:
                starts.add_metric((namespace, labels[OWNER_NAME], name), _time(job["metadata"]["creationTimestamp"]))
        return starts

    def _repaired(self) -> Metric:
        repairs = _family(metrics.CHILD_REPAIRS)
        for child, number in self._repairs.repaired(time.monotonic()):
            repairs.add_metric((*child.owner, child.kind, child.name), number)
        return repairs


def _family(metric: PrometheusMetric) -> GaugeMetricFamily:
    return GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)


def _name(manifest: Manifest) -> tuple[str, str]:
    return manifest["metadata"]["namespace"], manifest["metadata"]["name"]


def _conditions(manifest: Manifest) -> list[dict[str, Any]]:
    conditions: list[dict[str, Any]] = manifest.get("status", {}).get("conditions") or []
    return conditions


def _state(manifest: Manifest) -> str:
    conditions = {c["type"]: c["status"] for c in _conditions(manifest)}
    return next((name for name in ("Stalled", "Ready", "Reconciling") if conditions.get(name) == "True"), "Unknown")


def _last_ends(versions: list[dict[str, Any]]) -> dict[str, float]:
    """By outcome the end of the last training, in seconds since 1970; a superseded one has no outcome."""
    ended = [each for each in versions if "completionTime" in each and "supersededTime" not in each]
    return {_outcome(each): _time(each["completionTime"]) for each in sorted(ended, key=lambda each: each["number"])}


def _outcome(version: dict[str, Any]) -> str:
    return {True: "accepted", False: "refused", None: "failed"}[version.get("passedGates")]


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
