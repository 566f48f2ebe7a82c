"""What starts the next version, and what holds it back."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from cronsim import CronSim, CronSimError

from perennial.api import LanguageModel
from perennial.api.common import seconds
from perennial.api.language_model import MetricTrigger, TriggerStatus
from perennial.decide.language_model.fingerprint import digest, fingerprint
from perennial.decide.language_model.ledger import Ledger
from perennial.decide.language_model.observed import Observed
from perennial.decide.language_model.versions import begin, runs_otherwise
from perennial.decide.outcome import earliest

METRIC_PERIOD = timedelta(seconds=15)
DAY = timedelta(days=1)
SCHEDULE = "schedule"


@dataclass(frozen=True)
class Due:
    """A trigger that wants to start a version, and why."""

    trigger: str
    reason: str
    rule: str
    observed: str


def start(ledger: Ledger, model: LanguageModel, seen: Observed, now: datetime) -> Ledger:
    """Starts the next version if something asks for one and nothing holds it back."""
    ledger = _watch(ledger, model, seen, now)
    if ledger.newest is None:
        return _begin(ledger, model, Due("", "Initial", "a model needs a first version", "no version yet"), now)
    if ledger.newest.fingerprint != fingerprint(model.spec):
        changed = f"model, data or training differ from v{ledger.newest.number}"
        return _begin(ledger, model, Due("", "SpecChanged", "the newest spec is trained", changed), now)
    if ledger.newest.state in ("Failed", "Superseded") and runs_otherwise(ledger.newest, model):
        changed = f"v{ledger.newest.number} could not be trained, and where or how it is trained was changed"
        return _begin(ledger, model, Due("", "SpecChanged", "a mended spec is tried", changed), now)
    for due in [due for rule in RULES for due in rule(ledger, model, seen, now)]:
        held = _held(ledger, model, now)
        ledger = _hold(ledger, due, held, now) if held else _fire(ledger, model, due, now)
    return ledger


def problem(model: LanguageModel) -> str | None:
    """What is wrong with the schedule, if anything."""
    expression = model.spec.retraining.schedule
    if expression is None:
        return None
    try:
        next(CronSim(expression, datetime(2026, 1, 1)))
    except (CronSimError, StopIteration) as error:
        why = str(error) or "it never comes"
        return f'spec.retraining.schedule "{expression}" is not a cron expression of five fields: {why}'
    return None


def look_again(ledger: Ledger, model: LanguageModel, now: datetime) -> datetime | None:
    """When a trigger may speak next without anything else happening."""
    return earliest(now + METRIC_PERIOD if model.spec.retraining.on_metric else None, _next_slot(ledger, model))


def _watch(ledger: Ledger, model: LanguageModel, seen: Observed, now: datetime) -> Ledger:
    """Notes since when metrics are out of bounds, and from when on the schedule counts; forgets what is gone."""
    retraining = model.spec.retraining
    names = {trigger.name for trigger in retraining.on_metric} | ({SCHEDULE} if retraining.schedule else set())
    ledger = ledger.update(triggers=[known for known in ledger.status.triggers if known.name in names])
    for trigger in retraining.on_metric:
        watched = trigger.model_dump(exclude={"for_"})
        ledger = ledger.with_trigger(_watched(_known(ledger, trigger.name, watched), trigger, seen, now))
    if retraining.schedule:
        known = _known(ledger, SCHEDULE, retraining.schedule)
        ledger = ledger.with_trigger(known.model_copy(update={"checked_from": known.checked_from or now}))
    return ledger


def _known(ledger: Ledger, name: str, watched: object) -> TriggerStatus:
    """What is known of the trigger, unless it watches something else by now."""
    known, now_watched = ledger.trigger(name), digest(watched)
    if known.fingerprint == now_watched:
        return known
    return TriggerStatus(name=name, fingerprint=now_watched, last_fired=known.last_fired)


def _watched(known: TriggerStatus, trigger: MetricTrigger, seen: Observed, now: datetime) -> TriggerStatus:
    """Missing data neither begins nor ends a breach."""
    reading = _reading(trigger, seen)
    if isinstance(reading, str):
        return known.model_copy(update={"missing": reading})
    if not _breached(trigger, reading):
        return known.model_copy(update={"missing": None, "breached_since": None, "held": None})
    return known.model_copy(update={"missing": None, "breached_since": known.breached_since or now})


def _reading(trigger: MetricTrigger, seen: Observed) -> float | str:
    """A value, or why there is none; what is not finite is none."""
    reading = seen.readings.get(trigger.name, "not read yet")
    return f"is {reading}" if isinstance(reading, float) and not math.isfinite(reading) else reading


def _breached(trigger: MetricTrigger, value: float) -> bool:
    if trigger.above is not None:
        return value > trigger.above
    return trigger.below is not None and value < trigger.below


def metric_out_of_bounds(ledger: Ledger, model: LanguageModel, seen: Observed, now: datetime) -> Iterator[Due]:
    """While a version is trained, the metric still tells of the one before."""
    for trigger in model.spec.retraining.on_metric if ledger.in_training is None else ():
        reading = _reading(trigger, seen)
        since = ledger.trigger(trigger.name).breached_since
        if isinstance(reading, str) or since is None or now < since + timedelta(seconds=seconds(trigger.for_)):
            continue
        bound = f"above {trigger.above:g}" if trigger.above is not None else f"below {trigger.below:g}"
        rule = f"retraining.onMetric {trigger.name}: {bound} for {trigger.for_}"
        yield Due(trigger.name, "MetricOutOfBounds", rule, f"{trigger.name} is {reading:g} since {_clock(since)}")


def schedule_due(ledger: Ledger, model: LanguageModel, seen: Observed, now: datetime) -> Iterator[Due]:
    slot = _next_slot(ledger, model)
    if slot and now >= slot:
        rule = f"retraining.schedule {model.spec.retraining.schedule}"
        yield Due(SCHEDULE, "Scheduled", rule, f"{_clock(slot)} has come")


Rule = Callable[[Ledger, LanguageModel, Observed, datetime], Iterator[Due]]
RULES: tuple[Rule, ...] = (metric_out_of_bounds, schedule_due)


def _next_slot(ledger: Ledger, model: LanguageModel) -> datetime | None:
    expression = model.spec.retraining.schedule
    checked_from = ledger.trigger(SCHEDULE).checked_from
    if expression is None or checked_from is None or problem(model):
        return None
    return next(CronSim(expression, checked_from))


def _held(ledger: Ledger, model: LanguageModel, now: datetime) -> str | None:
    """Why no trigger may start a version now."""
    retraining, runs = model.spec.retraining, ledger.status.triggered_runs
    if ledger.in_training:
        return f"v{ledger.in_training.number} is in training"
    free = max(runs) + timedelta(seconds=seconds(retraining.cooldown)) if runs else now
    if now < free:
        return f"cooldown of {retraining.cooldown} until {_clock(free)}"
    if retraining.max_runs_per_day and sum(run > now - DAY for run in runs) >= retraining.max_runs_per_day:
        return f"maxRunsPerDay of {retraining.max_runs_per_day} is used up"
    return None


def _hold(ledger: Ledger, due: Due, held: str, now: datetime) -> Ledger:
    """A metric is looked at again, and recorded once per reason; a slot of the schedule is let pass."""
    known = ledger.trigger(due.trigger)
    passed = now if due.trigger == SCHEDULE else known.checked_from
    ledger = ledger.with_trigger(known.model_copy(update={"held": held, "checked_from": passed}))
    if known.held == held and due.trigger != SCHEDULE:
        return ledger
    return ledger.record(now, "RetrainingHeld", due.rule, due.observed, f"held back: {held}")


def _fire(ledger: Ledger, model: LanguageModel, due: Due, now: datetime) -> Ledger:
    known = ledger.trigger(due.trigger)
    passed = now if due.trigger == SCHEDULE else known.checked_from
    fired = known.model_copy(update={"held": None, "checked_from": passed, "last_fired": now})
    longest = max(DAY, timedelta(seconds=seconds(model.spec.retraining.cooldown)))
    runs = [run for run in ledger.status.triggered_runs if run > now - longest]
    ledger = ledger.with_trigger(fired).update(triggered_runs=[*runs, now][-1000:])
    return _begin(ledger, model, due, now)


def _begin(ledger: Ledger, model: LanguageModel, due: Due, now: datetime) -> Ledger:
    number = ledger.status.last_version + 1
    return begin(ledger, model, due.reason, now).record(
        now, "VersionStarted", due.rule, due.observed, f"the training of v{number} starts"
    )


def _clock(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
