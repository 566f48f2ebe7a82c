"""The operator's own metrics; what they say of objects is read from the cache when asked, so nothing stale remains."""

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

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """Counters of this process and a registry to expose."""

    def __init__(self, cache: Cache, depth: Callable[[], int]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no annotations
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.registry.register(_Objects(cache))
        self._reconciles = self._counter("perennial_reconciles", "Looks at an object.", "kind", "result")
        self._seconds = Histogram(
            "perennial_reconcile_seconds", "Duration of a look at an object, in seconds.", ["kind"],
            buckets=_BUCKETS, registry=self.registry,
        )  # fmt: skip
        self._writes = self._counter("perennial_api_writes", "Writes to the API server.", "verb", "resource")
        self._decisions = self._counter("perennial_decisions", "Decisions recorded in a status.", "kind", "reason")
        depth_gauge = Gauge("perennial_queue_depth", "Objects that wait to be looked at.", registry=self.registry)
        depth_gauge.set_function(depth)
        self._leader = Gauge("perennial_leader", "Whether this replica is the working one.", registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def reconciled(self, kind: str, result: str, seconds: float) -> None:
        """A look at an object ended; result is done, conflict or failed."""
        self._reconciles.labels(kind, result).inc()
        self._seconds.labels(kind).observe(seconds)

    def wrote(self, verb: str, resource: str) -> None:
        """A write to the API server succeeded."""
        self._writes.labels(verb, resource).inc()

    def decided(self, kind: str, reason: str) -> None:
        """A decision was stored."""
        self._decisions.labels(kind, reason).inc()

    def leads(self) -> None:
        """This replica has become the working one."""
        self._leader.set(1)


class _Objects(Collector):
    """What the cache says of our objects."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def collect(self) -> Iterator[Metric]:
        objects = GaugeMetricFamily("perennial_objects", "Objects by state.", labels=("kind", "state"))
        for kind, resource in OWN.items():
            for state, number in Tally(map(_state, self._cache.all(resource))).items():
                objects.add_metric((kind, state), number)
        yield objects
        yield from self._versions()

    def _versions(self) -> Iterator[Metric]:
        of_model = ("namespace", "languagemodel")
        serving = GaugeMetricFamily("perennial_serving_version", "Number of the version in service.", labels=of_model)
        metrics = GaugeMetricFamily(
            "perennial_version_metric", "Metric of a version on its held-out set.",
            labels=(*of_model, "version", "metric"),
        )  # fmt: skip
        for model in self._cache.all(OWN["LanguageModel"]):
            name = (model["metadata"]["namespace"], model["metadata"]["name"])
            status = model.get("status", {})
            if number := status.get("servingVersion"):
                serving.add_metric(name, number)
            for version in status.get("versions", []):
                for metric, value in version.get("metrics", {}).items():
                    metrics.add_metric((*name, str(version["number"]), metric), value)
        yield serving
        yield metrics


def _state(manifest: Manifest) -> str:
    conditions = {c["type"]: c["status"] for c in manifest.get("status", {}).get("conditions", [])}
    return next((name for name in ("Stalled", "Ready", "Reconciling") if conditions.get(name) == "True"), "Unknown")
