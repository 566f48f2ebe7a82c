"""What one sees of a running training: JSON lines on stdout, and metrics for Prometheus."""

import math
import socket
import time

from prometheus_client import CollectorRegistry, Gauge, start_http_server
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from perennial_contract import metrics
from perennial_contract.exits import BAD_CONFIGURATION, Failure
from perennial_contract.metrics import PrometheusMetric
from perennial_contract.result import Progress as Report
from perennial_training.distributed import processes
from perennial_training.tasks.objective import finite, rounded
from perennial_training.telemetry.tracking import Tracking

REPORT_SECONDS = 2.0


class Gauges:
    """The metrics of a training, served at /metrics; port 0 serves none."""

    def __init__(self, port: int) -> None:
        registry = CollectorRegistry()
        self.step = _gauge(metrics.TRAINING_STEP, registry)
        self.loss = _gauge(metrics.TRAINING_LOSS, registry)
        self.validation_loss = _gauge(metrics.TRAINING_VALIDATION_LOSS, registry)
        self.tokens_per_second = _gauge(metrics.TRAINING_TOKENS_PER_SECOND, registry)
        if port and processes.leads_its_node():
            _serve(port, registry)


class Progress(TrainerCallback):
    """Reports at every evaluation and at most every two seconds in between; stops at a loss that isn't finite.

    A GPU is still busy with its last steps when their calls return. Seconds count up to `on_log`, for which the Trainer
    reads the loss and so waits for all of them; evaluations and checkpoints come after it.
    """

    def __init__(self, gauges: Gauges, tokens_per_step: int, tracking: Tracking | None = None) -> None:
        self.gauges = gauges
        self.tracking = tracking
        self.tokens_per_step = tokens_per_step
        self.latest: dict[str, float] = {}
        self.first_step = self.reported_step = 0
        self.began = self.reported_at = time.monotonic()
        self.steps_began: float | None = None  # since the last report

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        self.first_step = self.reported_step = state.global_step
        self.began = self.reported_at = time.monotonic()

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        if self.steps_began is None:
            self.steps_began = time.monotonic()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        due = time.monotonic() - self.reported_at >= REPORT_SECONDS
        control.should_log = processes.any_of(due) or control.should_evaluate or control.should_save

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: object,
    ) -> None:
        if not logs or "loss" not in logs or self.steps_began is None:
            return
        now = time.monotonic()
        # In float16 a gradient may overflow: the scaler then leaves the step out and scales by less.
        sound = args.fp16 or math.isfinite(logs.get("grad_norm", 0.0))
        finite(logs["loss"] if sound else math.nan)
        steps = state.global_step - self.reported_step
        self.latest = {
            "loss": rounded(logs["loss"]),
            "tokensPerSecond": round(steps * self.tokens_per_step / max(now - self.steps_began, 1e-9)),
            "etaSeconds": round(self._seconds_left(state)),
        }
        if self.tracking is not None:
            more = {
                name: logs[name] for name in ("learning_rate", "grad_norm") if math.isfinite(logs.get(name, math.nan))
            }
            self.tracking.metrics(state.global_step, self.latest | more)
        self.reported_step, self.reported_at, self.steps_began = state.global_step, now, None
        self.gauges.loss.set(self.latest["loss"])
        self.gauges.tokens_per_second.set(self.latest["tokensPerSecond"])
        if not control.should_evaluate:  # else the line waits for the evaluation
            self._print(state, {})

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **kwargs: object,
    ) -> None:
        assert metrics is not None
        self.gauges.validation_loss.set(metrics["eval_loss"])
        if self.tracking is not None:
            found = {f"validation_{name.removeprefix('eval_')}": value for name, value in metrics.items()}
            self.tracking.metrics(state.global_step, found)
        self._print(state, {"validationLoss": metrics["eval_loss"]})
        self.reported_at = time.monotonic()

    def _seconds_left(self, state: TrainerState) -> float:
        done = state.global_step - self.first_step
        return (time.monotonic() - self.began) / done * (state.max_steps - state.global_step)

    def _print(self, state: TrainerState, more: dict[str, float]) -> None:
        self.gauges.step.set(state.global_step)
        if not processes.leads():
            return
        found = Report.model_validate({"step": state.global_step, "maxSteps": state.max_steps} | self.latest | more)
        print(found.line(), flush=True)


def _gauge(metric: PrometheusMetric, registry: CollectorRegistry) -> Gauge:
    return Gauge(metric.name, metric.help, registry=registry)


def _serve(port: int, registry: CollectorRegistry) -> None:
    every_address = "::" if socket.has_dualstack_ipv6() else "0.0.0.0"
    try:
        start_http_server(port, every_address, registry)
    except OSError as error:
        raise Failure(
            "MetricsPortTaken",
            f"metrics can't be served on port {port} ({error.strerror}); choose another by --metrics-port, 0 for none",
            BAD_CONFIGURATION,
        ) from None
