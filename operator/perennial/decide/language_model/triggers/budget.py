"""Limits on retraining: suspension, one training at a time, a cooldown, a number of runs per day."""

from datetime import datetime, timedelta

from perennial.api import LanguageModel
from perennial.api.duration import seconds
from perennial.decide.language_model.ledger import Ledger
from perennial.decide.language_model.triggers.trigger import View, clock

DAY = timedelta(days=1)


def hold(view: View) -> str | None:
    """Why no trigger may start a version now."""
    retraining, runs = view.model.spec.retraining, view.ledger.status.triggered_run_times
    if view.model.spec.suspend:
        return "spec.suspend is true"
    if view.ledger.in_training:
        return f"v{view.ledger.in_training.number} is in training"
    free = max(runs) + _cooldown(view.model) if runs else view.now
    if view.now < free:
        return f"cooldown of {retraining.cooldown} until {clock(free)}"
    if retraining.max_runs_per_day and sum(run > view.now - DAY for run in runs) >= retraining.max_runs_per_day:
        return f"maxRunsPerDay of {retraining.max_runs_per_day} is used up"
    return None


def not_ahead(ledger: Ledger, now: datetime) -> Ledger:
    """A run of the future was started by a clock that has been set back since; it counts from now on."""
    return ledger.update(triggered_run_times=[min(run, now) for run in ledger.status.triggered_run_times])


def spend(ledger: Ledger, model: LanguageModel, now: datetime) -> Ledger:
    """One more run counts, for as long as a limit looks back."""
    recent = now - max(DAY, _cooldown(model))
    runs = [run for run in ledger.status.triggered_run_times if run > recent]
    return ledger.update(triggered_run_times=[*runs, now][-1000:])


def _cooldown(model: LanguageModel) -> timedelta:
    return timedelta(seconds=seconds(model.spec.retraining.cooldown))
