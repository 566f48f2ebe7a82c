"""The operator's metrics. Those about objects are computed from the cache at each scrape, so none is stale."""

from collections import Counter as Tally
from collections.abc import Callable, Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from perennial.decide.outcome import Manifest
from perennial.kube.cache import Cache
from perennial.kube.resources import OWN
from perennial_contract import metrics
from perennial_contract.metrics import PrometheusMetric

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """Counters of this process and a registry to expose."""

    def __init__(self, cache: Cache, depth: Callable[[], int]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no annotations
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.registry.register(_Objects(cache))
        self._reconciles = self._counter(metrics.RECONCILES)
        self._seconds = Histogram(
            metrics.RECONCILE_SECONDS.name,
            metrics.RECONCILE_SECONDS.help,
            metrics.RECONCILE_SECONDS.labels,
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._writes = self._counter(metrics.API_WRITES)
        self._decisions = self._counter(metrics.DECISIONS)
        self._gauge(metrics.QUEUE_DEPTH).set_function(depth)
        self._leader = self._gauge(metrics.LEADER)

    def _counter(self, metric: PrometheusMetric) -> Counter:
        return Counter(metric.name, metric.help, metric.labels, registry=self.registry)

    def _gauge(self, metric: PrometheusMetric) -> Gauge:
        return Gauge(metric.name, metric.help, metric.labels, registry=self.registry)

    def reconciled(self, kind: str, result: str, seconds: float) -> None:
        """A reconcile ended; result is done, conflict or failed."""
        self._reconciles.labels(kind, result).inc()
        self._seconds.labels(kind).observe(seconds)

    def wrote(self, verb: str, resource: str) -> None:
        """A write to the API server succeeded."""
        self._writes.labels(verb, resource).inc()

    def decided(self, kind: str, reason: str) -> None:
        """A decision was stored."""
        self._decisions.labels(kind, reason).inc()

    def leads(self) -> None:
        """This replica has become the leader."""
        self._leader.set(1)


class _Objects(Collector):
    """Metrics of the cached objects."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def collect(self) -> Iterator[Metric]:
        objects = _family(metrics.OBJECTS)
        for kind, resource in OWN.items():
            for state, number in Tally(map(_state, self._cache.all(resource))).items():
                objects.add_metric((kind, state), number)
        yield objects
        yield from self._versions()

    def _versions(self) -> Iterator[Metric]:
        serving, judged = _family(metrics.SERVING_VERSION), _family(metrics.VERSION_METRIC)
        for model in self._cache.all(OWN["LanguageModel"]):
            name = (model["metadata"]["namespace"], model["metadata"]["name"])
            status = model.get("status", {})
            if number := status.get("servingVersion"):
                serving.add_metric(name, number)
            for version in status.get("versions", []):
                for metric, value in version.get("metrics", {}).items():
                    judged.add_metric((*name, str(version["number"]), metric), value)
        yield serving
        yield judged


def _family(metric: PrometheusMetric) -> GaugeMetricFamily:
    return GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)


def _state(manifest: Manifest) -> str:
    conditions = {c["type"]: c["status"] for c in manifest.get("status", {}).get("conditions", [])}
    return next((name for name in ("Stalled", "Ready", "Reconciling") if conditions.get(name) == "True"), "Unknown")
