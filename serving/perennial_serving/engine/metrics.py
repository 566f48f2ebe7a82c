"""What the operator and people see of this server, for Prometheus."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    """All metrics, in a registry of their own so that one process can hold two servers (as tests do)."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._waiting = self._gauge("perennial_requests_waiting", "Requests that wait for a place in the batch.")
        self._running = self._gauge("perennial_requests_running", "Requests in the batch.")
        self._requests = Counter(
            "perennial_requests_total",
            "Requests by route and status code; 499: the client went away.",
            ["route", "code"],
            registry=self.registry,
        )
        self._seconds = self._histogram("perennial_request_seconds", "From a request to the end of its answer.")
        self._first_token = self._histogram(
            "perennial_time_to_first_token_seconds", "From a request's place in the queue to its first token."
        )
        self._prompt_tokens = self._counter("perennial_prompt_tokens_total", "Tokens of prompts read.")
        self.generated_tokens = self._counter("perennial_generated_tokens_total", "Tokens generated.")
        self._model = Gauge(
            "perennial_model_info",
            "1 for the loaded model.",
            ["model", "version", "digest"],
            registry=self.registry,
        )

    def watch_queue(self, waiting: Callable[[], int], running: Callable[[], int]) -> None:
        """The gauges ask the engine itself at each scrape, so no error or disconnect can leave them wrong."""
        self._waiting.set_function(waiting)
        self._running.set_function(running)

    def model_loaded(self, model: str, version: str, digest: str) -> None:
        self._model.labels(model, version, digest).set(1)

    def prompts_read(self, lengths: Iterable[int]) -> None:
        """Counts prompts, each given as its number of tokens."""
        self._prompt_tokens.inc(sum(lengths))

    def first_tokens(self, seconds: Iterable[float]) -> None:
        for value in seconds:
            self._first_token.observe(value)

    def request_ended(self, route: str, code: int, seconds: float) -> None:
        self._requests.labels(route, str(code)).inc()
        self._seconds.observe(seconds)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, registry=self.registry)

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(name, text, registry=self.registry)

    def _histogram(self, name: str, text: str) -> Histogram:
        return Histogram(name, text, buckets=SECONDS, registry=self.registry)
