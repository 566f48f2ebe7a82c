"""The operator's metrics about its own work; those about objects are in `object_metrics`."""

import platform
from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from perennial.kube.cache import Cache
from perennial.kube.keys import Key
from perennial.loop.object_metrics import ObjectMetrics
from perennial.loop.repairs import RepairMemory
from perennial_contract import metrics
from perennial_contract.metrics import PrometheusMetric
from perennial_contract.version import of_perennial

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """Counters of this process and a registry to expose."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no annotations
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._reconciles = self._counter(metrics.RECONCILES)
        self._reconcile_seconds = self._histogram(metrics.RECONCILE_SECONDS)
        self._queue_seconds = self._histogram(metrics.QUEUE_SECONDS)
        self._writes = self._counter(metrics.API_WRITES)
        self._api_request_seconds = self._histogram(metrics.API_REQUEST_SECONDS)
        self._prometheus_request_seconds = self._histogram(metrics.PROMETHEUS_REQUEST_SECONDS)
        self._decisions = self._counter(metrics.DECISIONS)
        self._queue_depth = self._gauge(metrics.QUEUE_DEPTH)
        self._leader = self._gauge(metrics.LEADER)
        self._gauge(metrics.BUILD_INFO).labels(of_perennial(), platform.python_version()).set(1)

    def describes(self, cache: Cache, repairs: RepairMemory, depth: Callable[[], int]) -> None:
        """Exposes the cached objects, the repairs of children, and the depth of the queue."""
        self.registry.register(ObjectMetrics(cache, repairs))
        self._queue_depth.set_function(depth)

    def _counter(self, metric: PrometheusMetric) -> Counter:
        return Counter(metric.name, metric.help, metric.labels, registry=self.registry)

    def _gauge(self, metric: PrometheusMetric) -> Gauge:
        return Gauge(metric.name, metric.help, metric.labels, registry=self.registry)

    def _histogram(self, metric: PrometheusMetric) -> Histogram:
        return Histogram(metric.name, metric.help, metric.labels, buckets=_BUCKETS, registry=self.registry)

    def reconciled(self, kind: str, result: str, seconds: float) -> None:
        """A reconcile ended; result is done, conflict or failed."""
        self._reconciles.labels(kind, result).inc()
        self._reconcile_seconds.labels(kind).observe(seconds)

    def waited(self, key: Key, seconds: float) -> None:
        """A worker took an object from the queue."""
        self._queue_seconds.labels(key.kind).observe(seconds)

    def requested(self, verb: str, code: int, seconds: float) -> None:
        """A request to the API server ended; code 0: it could not be reached."""
        self._api_request_seconds.labels(verb, str(code)).observe(seconds)

    def asked(self, result: str, seconds: float) -> None:
        """A query to Prometheus ended; result is answered or failed."""
        self._prometheus_request_seconds.labels(result).observe(seconds)

    def wrote(self, verb: str, resource: str) -> None:
        """A write to the API server succeeded."""
        self._writes.labels(verb, resource).inc()

    def decided(self, key: Key, reason: str) -> None:
        """A decision was stored."""
        self._decisions.labels(key.kind, key.namespace, reason).inc()

    def leads(self) -> None:
        """This replica has become the leader."""
        self._leader.set(1)
