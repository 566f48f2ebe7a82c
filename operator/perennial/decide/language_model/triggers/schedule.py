"""A cron schedule starts versions."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from perennial.api import LanguageModel
from perennial.api.duration import seconds
from perennial.api.language_model import ScheduleStatus, ScheduleTrigger, TriggerStatus
from perennial.decide.language_model.triggers.trigger import Due, Trigger, View, clock

# A clock that is set back by more than this was wrong before; the times since then are not waited for.
LONGEST_REPETITION = timedelta(days=1)


@dataclass(frozen=True)
class Schedule(Trigger):
    """Due at each time of the schedule. Times that were missed count as one; a time that is held back passes."""

    name: str
    spec: ScheduleTrigger
    uid: str

    @classmethod
    def of(cls, model: LanguageModel) -> Iterable[Trigger]:
        return (
            cls(entry.name, entry.schedule, model.metadata.uid)
            for entry in model.spec.retraining.triggers
            if entry.schedule
        )

    def watched(self) -> object:
        return {"schedule": self.spec.model_dump(mode="json")}

    def problem(self) -> str | None:
        """Whether the expression ever matches, and the zone exists, only a calendar knows."""
        at = f"spec.retraining.triggers {self.name}"
        try:
            zone = ZoneInfo(self.spec.time_zone)
        except (KeyError, ValueError, OSError):
            return f'{at}: timeZone "{self.spec.time_zone}" is not a time zone of the IANA database'
        try:
            next(CronSim(self.spec.cron, datetime(2026, 1, 1, tzinfo=zone)))
        except (CronSimError, StopIteration) as error:
            why = str(error) or "it never matches"
            return f'{at}: cron "{self.spec.cron}" is not a cron expression of five fields: {why}'
        return None

    def observe(self, status: TriggerStatus, view: View) -> TriggerStatus:
        """A clock that was set back by less than a day passes the times again, and they start nothing again."""
        until = _evaluated_until(status)
        return _evaluated(status, view) if until is None or until - view.now > LONGEST_REPETITION else status

    def due(self, status: TriggerStatus, view: View) -> Due | None:
        time = self.next_time(status, view)
        if time is None or view.now < time:
            return None
        rule = f"retraining.triggers {self.name}: schedule {self.spec.cron} {self.spec.time_zone}"
        return Due(rule, f"scheduled time {clock(time)} reached")

    def held(self, status: TriggerStatus, view: View) -> TriggerStatus:
        return _evaluated(status, view)

    def fired(self, status: TriggerStatus, view: View) -> TriggerStatus:
        return _evaluated(status, view)

    def next_time(self, status: TriggerStatus, view: View) -> datetime | None:
        until = _evaluated_until(status)
        if until is None or self.problem():
            return None
        after = until - self._delay
        times = CronSim(self.spec.cron, after.astimezone(ZoneInfo(self.spec.time_zone)))
        # In the second pass of the hour that comes twice, the first of them may be one of the first pass.
        return next(time for each in times if (time := each.astimezone(UTC)) > after) + self._delay

    @property
    def _delay(self) -> timedelta:
        """The same for each start of a model, and spread evenly over many models."""
        share = int.from_bytes(sha256(self.uid.encode()).digest()[:4]) / 2**32
        return timedelta(seconds=int(share * seconds(self.spec.jitter)))


def _evaluated_until(status: TriggerStatus) -> datetime | None:
    return status.schedule.evaluated_until_time if status.schedule else None


def _evaluated(status: TriggerStatus, view: View) -> TriggerStatus:
    return status.model_copy(update={"schedule": ScheduleStatus(evaluated_until_time=view.now)})
