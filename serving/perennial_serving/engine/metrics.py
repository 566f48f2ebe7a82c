"""The Prometheus metrics of this server; the contract names them."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from perennial_contract import metrics
from perennial_contract.metrics import PrometheusMetric

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    """All metrics, in their own registry, so that one process can hold several servers, as tests do."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._waiting = self._gauge(metrics.REQUESTS_WAITING)
        self._running = self._gauge(metrics.REQUESTS_RUNNING)
        self._requests = self._counter(metrics.REQUESTS)
        self._seconds = self._histogram(metrics.REQUEST_SECONDS)
        self._first_token = self._histogram(metrics.TIME_TO_FIRST_TOKEN_SECONDS)
        self._prompt_tokens = self._counter(metrics.PROMPT_TOKENS)
        self.generated_tokens = self._counter(metrics.GENERATED_TOKENS)
        self._model = self._gauge(metrics.MODEL_INFO)

    def watch_queue(self, waiting: Callable[[], int], running: Callable[[], int]) -> None:
        """The gauges read the engine at each scrape, so no error or disconnect can leave them wrong."""
        self._waiting.set_function(waiting)
        self._running.set_function(running)

    def model_loaded(self, model: str, version: str, digest: str) -> None:
        self._model.labels(model, version, digest).set(1)

    def prompts_read(self, lengths: Iterable[int]) -> None:
        """Counts prompts by their numbers of tokens."""
        self._prompt_tokens.inc(sum(lengths))

    def first_tokens(self, seconds: Iterable[float]) -> None:
        for value in seconds:
            self._first_token.observe(value)

    def request_ended(self, route: str, code: int, seconds: float) -> None:
        self._requests.labels(route, str(code)).inc()
        self._seconds.observe(seconds)

    def _gauge(self, metric: PrometheusMetric) -> Gauge:
        return Gauge(metric.name, metric.help, metric.labels, registry=self.registry)

    def _counter(self, metric: PrometheusMetric) -> Counter:
        return Counter(metric.name, metric.help, metric.labels, registry=self.registry)

    def _histogram(self, metric: PrometheusMetric) -> Histogram:
        return Histogram(metric.name, metric.help, metric.labels, buckets=SECONDS, registry=self.registry)
