"""A cron schedule starts versions."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from cronsim import CronSim, CronSimError

from perennial.api import LanguageModel
from perennial.api.language_model import TriggerStatus
from perennial.decide.language_model.triggers.trigger import Due, Trigger, View, clock


@dataclass(frozen=True)
class Schedule(Trigger):
    """Due at each time of the schedule. Times that were missed count as one; a time that is held back passes."""

    name: str
    cron: str

    @classmethod
    def of(cls, model: LanguageModel) -> Iterable[Trigger]:
        cron = model.spec.retraining.schedule
        return (cls("schedule", cron),) if cron else ()

    def watched(self) -> object:
        return self.cron

    def problem(self) -> str | None:
        try:
            next(CronSim(self.cron, datetime(2026, 1, 1)))
        except (CronSimError, StopIteration) as error:
            why = str(error) or "it never comes"
            return f'spec.retraining.schedule "{self.cron}" is not a cron expression of five fields: {why}'
        return None

    def observe(self, status: TriggerStatus, view: View) -> TriggerStatus:
        return status.model_copy(update={"checked_from": status.checked_from or view.now})

    def due(self, status: TriggerStatus, view: View) -> Due | None:
        slot = self.next_time(status, view)
        if slot is None or view.now < slot:
            return None
        return Due(f"retraining.schedule {self.cron}", f"{clock(slot)} has come")

    def held(self, status: TriggerStatus, view: View) -> TriggerStatus:
        return status.model_copy(update={"checked_from": view.now})

    def fired(self, status: TriggerStatus, view: View) -> TriggerStatus:
        return status.model_copy(update={"checked_from": view.now})

    def next_time(self, status: TriggerStatus, view: View) -> datetime | None:
        if status.checked_from is None or self.problem():
            return None
        return next(CronSim(self.cron, status.checked_from))
