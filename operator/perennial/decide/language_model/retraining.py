"""Start of the next version: drives the triggers, within the limits of retraining."""

from datetime import datetime

from perennial.api import LanguageModel
from perennial.api.language_model import TriggerStatus
from perennial.decide.digest import digest
from perennial.decide.language_model.imports import is_pending
from perennial.decide.language_model.ledger import Ledger
from perennial.decide.language_model.observed import Observed
from perennial.decide.language_model.triggers import TRIGGERS, Registry
from perennial.decide.language_model.triggers.budget import hold, not_ahead, spend
from perennial.decide.language_model.triggers.trigger import Due, Trigger, View
from perennial.decide.language_model.versions import begin
from perennial.decide.outcome import earliest


def start(
    ledger: Ledger, model: LanguageModel, observed: Observed, now: datetime, registry: Registry = TRIGGERS
) -> Ledger:
    """Starts the next version if a trigger is due, nothing holds it back, and no trigger has an error.

    An import comes first: it may make a training unnecessary.
    """
    triggers = triggers_of(model, registry)
    ledger = _observe(ledger, model, observed, now, triggers)
    if _error(triggers) or is_pending(ledger, model):
        return ledger
    view = View(ledger, model, observed, now)
    due = [(trigger, grounds) for trigger in triggers if (grounds := trigger.due(ledger.trigger(trigger.name), view))]
    for trigger, grounds in due:
        if not trigger.configured:
            return ledger if model.spec.suspend else _begin(ledger, view, trigger, grounds)
        ledger = _act(View(ledger, model, observed, now), trigger, grounds)
    return ledger


def triggers_of(model: LanguageModel, registry: Registry = TRIGGERS) -> tuple[Trigger, ...]:
    """All triggers of a model, in the order of precedence."""
    return tuple(trigger for kind in registry for trigger in kind.of(model))


def problem(model: LanguageModel, registry: Registry = TRIGGERS) -> str | None:
    """The first error in a trigger's spec."""
    return _error(triggers_of(model, registry))


def _error(triggers: tuple[Trigger, ...]) -> str | None:
    return next(filter(None, (trigger.problem() for trigger in triggers)), None)


def queries(model: LanguageModel, registry: Registry = TRIGGERS) -> dict[str, str]:
    """PromQL by name of the trigger."""
    return {trigger.name: query for trigger in triggers_of(model, registry) if (query := trigger.query())}


def next_time(
    ledger: Ledger, model: LanguageModel, observed: Observed, now: datetime, registry: Registry = TRIGGERS
) -> datetime | None:
    """When a trigger may be due next without a change of anything else."""
    triggers = triggers_of(model, registry)
    if _error(triggers):
        return None
    view = View(ledger, model, observed, now)
    return earliest(*(trigger.next_time(ledger.trigger(trigger.name), view) for trigger in triggers))


def _observe(
    ledger: Ledger, model: LanguageModel, observed: Observed, now: datetime, triggers: tuple[Trigger, ...]
) -> Ledger:
    """The status of each configured trigger after this observation; the status of a removed one is dropped."""
    configured = {trigger.name: trigger for trigger in triggers if trigger.configured}
    ledger = ledger.update(triggers=[status for status in ledger.status.triggers if status.name in configured])
    ledger = not_ahead(ledger, now)
    view = View(ledger, model, observed, now)
    for trigger in configured.values():
        ledger = ledger.with_trigger(trigger.observe(_status(ledger, trigger), view))
    return ledger


def _status(ledger: Ledger, trigger: Trigger) -> TriggerStatus:
    """The stored status, reset if the trigger watches something else now."""
    status, watched = ledger.trigger(trigger.name), digest(trigger.watched())
    if status.fingerprint == watched:
        return status
    return TriggerStatus(name=trigger.name, fingerprint=watched, last_fire_time=status.last_fire_time)


def _act(view: View, trigger: Trigger, due: Due) -> Ledger:
    """Starts a version within the limits of retraining."""
    if held := hold(view):
        return _hold(view, trigger, due, held)
    status = view.ledger.trigger(trigger.name).model_copy(update={"held": None, "last_fire_time": view.now})
    ledger = view.ledger.with_trigger(trigger.fired(status, view))
    return _begin(spend(ledger, view.model, view.now), view, trigger, due)


def _hold(view: View, trigger: Trigger, due: Due, held: str) -> Ledger:
    """Recorded once for each reason, and again when it uses up something of the trigger."""
    before = view.ledger.trigger(trigger.name)
    after = trigger.held(before.model_copy(update={"held": held}), view)
    if after == before:
        return view.ledger
    outcome = f"held back: {held}"
    return view.ledger.with_trigger(after).record(view.now, "RetrainingHeld", due.rule, due.observed, outcome)


def _begin(ledger: Ledger, view: View, trigger: Trigger, due: Due) -> Ledger:
    number = ledger.status.last_version + 1
    return begin(ledger, view.model, trigger.name, view.now).record(
        view.now, "VersionStarted", due.rule, due.observed, f"training of v{number} starts"
    )
