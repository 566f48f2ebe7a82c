"""A Prometheus metric that stays out of bounds starts a version."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from perennial.api import LanguageModel
from perennial.api.duration import seconds
from perennial.api.language_model import MetricStatus, MetricTrigger, TriggerStatus
from perennial.decide.language_model.triggers.trigger import Due, Trigger, View, clock
from perennial.decide.readings import PERIOD, reading


@dataclass(frozen=True)
class Metric(Trigger):
    """Due when the breach has lasted for its duration. Missing data neither begins nor ends a breach."""

    name: str
    spec: MetricTrigger

    @classmethod
    def of(cls, model: LanguageModel) -> Iterable[Trigger]:
        return (cls(entry.name, entry.metric) for entry in model.spec.retraining.triggers if entry.metric)

    def watched(self) -> object:
        return {"metric": self.spec.model_dump(mode="json", exclude={"for_"})}

    def query(self) -> str | None:
        return self.spec.query

    def observe(self, status: TriggerStatus, view: View) -> TriggerStatus:
        """As it was before the first reading, so that a start of the operator writes nothing."""
        if self.name not in view.observed.readings:
            return status
        value = reading(self.name, view.observed.readings)
        before = _breach_start(status)
        if isinstance(value, str):
            return status.model_copy(update={"metric": MetricStatus(breach_start_time=before, missing=value)})
        if not self._breached(value):
            return status.model_copy(update={"metric": None, "held": None})
        start = min(before or view.now, view.now)  # one of the future was told by a clock that was set back since
        return status.model_copy(update={"metric": MetricStatus(breach_start_time=start)})

    def due(self, status: TriggerStatus, view: View) -> Due | None:
        """While a version is in training, the metric still describes the one before."""
        value, since = reading(self.name, view.observed.readings), _breach_start(status)
        if view.ledger.in_training or isinstance(value, str) or since is None:
            return None
        if view.now < since + timedelta(seconds=seconds(self.spec.for_)):
            return None
        bound = f"above {self.spec.above:g}" if self.spec.above is not None else f"below {self.spec.below:g}"
        rule = f"retraining.triggers {self.name}: metric {bound} for {self.spec.for_}"
        return Due(rule, f"{self.name} is {value:g} since {clock(since)}")

    def next_time(self, status: TriggerStatus, view: View) -> datetime | None:
        return view.now + PERIOD

    def _breached(self, value: float) -> bool:
        if self.spec.above is not None:
            return value > self.spec.above
        return self.spec.below is not None and value < self.spec.below


def _breach_start(status: TriggerStatus) -> datetime | None:
    return status.metric.breach_start_time if status.metric else None
