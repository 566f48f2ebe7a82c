"""Every Prometheus metric of Perennial: name, help text and labels. Names and labels are API: dashboards use them."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class PrometheusMetric:
    """A metric as it is scraped; a counter's name ends in _total."""

    name: str
    type: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()


# Training pods
TRAINING_STEP = PrometheusMetric("perennial_training_step", "gauge", "Completed optimizer steps.")
TRAINING_LOSS = PrometheusMetric("perennial_training_loss", "gauge", "Training loss in nats per token.")
TRAINING_VALIDATION_LOSS = PrometheusMetric(
    "perennial_training_validation_loss", "gauge", "Loss on the held-out set in nats per token."
)
TRAINING_TOKENS_PER_SECOND = PrometheusMetric(
    "perennial_training_tokens_per_second", "gauge", "Training throughput in tokens per second."
)

# Serving pods
REQUESTS_WAITING = PrometheusMetric("perennial_requests_waiting", "gauge", "Requests waiting for a place in the batch.")
REQUESTS_RUNNING = PrometheusMetric("perennial_requests_running", "gauge", "Requests in the batch.")
REQUESTS = PrometheusMetric(
    "perennial_requests_total",
    "counter",
    "Requests by route and status code; 499: the client closed the connection.",
    ("route", "code"),
)
REQUEST_SECONDS = PrometheusMetric(
    "perennial_request_seconds", "histogram", "Time from a request to the end of its answer."
)
TIME_TO_FIRST_TOKEN_SECONDS = PrometheusMetric(
    "perennial_time_to_first_token_seconds", "histogram", "Time from queueing a request to its first token."
)
PROMPT_TOKENS = PrometheusMetric("perennial_prompt_tokens_total", "counter", "Prompt tokens read.")
GENERATED_TOKENS = PrometheusMetric("perennial_generated_tokens_total", "counter", "Tokens generated.")
MODEL_INFO = PrometheusMetric(
    "perennial_model_info", "gauge", "1 for the loaded model.", ("model", "version", "digest")
)

# The operator
RECONCILES = PrometheusMetric("perennial_reconciles_total", "counter", "Reconciliations.", ("kind", "result"))
RECONCILE_SECONDS = PrometheusMetric(
    "perennial_reconcile_seconds", "histogram", "Duration of a reconciliation in seconds.", ("kind",)
)
API_WRITES = PrometheusMetric(
    "perennial_api_writes_total", "counter", "Writes to the API server.", ("verb", "resource")
)
API_REQUEST_SECONDS = PrometheusMetric(
    "perennial_api_request_seconds",
    "histogram",
    "Duration of a request to the API server in seconds; code 0: it could not be reached.",
    ("verb", "code"),
)
PROMETHEUS_REQUEST_SECONDS = PrometheusMetric(
    "perennial_prometheus_request_seconds",
    "histogram",
    "Duration of a query to Prometheus in seconds; result is answered or failed.",
    ("result",),
)
DECISIONS = PrometheusMetric(
    "perennial_decisions_total", "counter", "Decisions recorded in a status.", ("kind", "namespace", "reason")
)
QUEUE_SECONDS = PrometheusMetric(
    "perennial_queue_seconds", "histogram", "Time that an object waited for a worker in seconds.", ("kind",)
)
QUEUE_DEPTH = PrometheusMetric("perennial_queue_depth", "gauge", "Objects waiting to be reconciled.")
LEADER = PrometheusMetric("perennial_leader", "gauge", "1 if this replica is the leader.")
BUILD_INFO = PrometheusMetric(
    "perennial_build_info", "gauge", "1 for the running version of the operator.", ("version", "python")
)
OBJECTS = PrometheusMetric("perennial_objects", "gauge", "Objects by state.", ("kind", "state"))
CONDITION = PrometheusMetric(
    "perennial_condition",
    "gauge",
    "1 if the condition of the object is True, 0 if not: Ready, Stalled, and UpToDate and Scaling of a Deployment.",
    ("kind", "namespace", "name", "type", "reason"),
)
LAST_TRAINING_END = PrometheusMetric(
    "perennial_last_training_end_timestamp_seconds",
    "gauge",
    "End of the last training with this outcome: accepted, refused or failed.",
    ("namespace", "languagemodel", "outcome"),
)
TRIGGER_BLIND = PrometheusMetric(
    "perennial_trigger_blind",
    "gauge",
    "1 if the metric of a retraining trigger has no value, 0 if it has.",
    ("namespace", "languagemodel", "trigger"),
)
CLEANUP_START = PrometheusMetric(
    "perennial_cleanup_start_timestamp_seconds",
    "gauge",
    "Start of a Job that deletes an artifact and has not ended.",
    ("namespace", "languagemodel", "job"),
)
CHILD_REPAIRS = PrometheusMetric(
    "perennial_child_repairs",
    "gauge",
    "Repairs of a child that others change again and again; gone after 10 minutes without one.",
    ("kind", "namespace", "name", "child_kind", "child"),
)
SERVING_VERSION = PrometheusMetric(
    "perennial_serving_version", "gauge", "Number of the version in service.", ("namespace", "languagemodel")
)
VERSION_METRIC = PrometheusMetric(
    "perennial_version_metric",
    "gauge",
    "Metric of a version on its held-out set.",
    ("namespace", "languagemodel", "version", "metric"),
)

METRICS = tuple(value for value in list(globals().values()) if isinstance(value, PrometheusMetric))
