"""Reconciliation of a LanguageModel: trainings, one Deployment, and the record of its life."""

from collections.abc import Iterator
from datetime import datetime

from perennial.api import LanguageModel
from perennial.api.language_model import LanguageModelStatus
from perennial.api.status import Condition
from perennial.decide.conditions import conditions
from perennial.decide.kube import condition, true_condition
from perennial.decide.language_model import imports, lost, retraining
from perennial.decide.language_model.children import applied, deleted
from perennial.decide.language_model.ledger import Ledger
from perennial.decide.language_model.observed import Observed
from perennial.decide.language_model.promotion import promote
from perennial.decide.language_model.retention import collect
from perennial.decide.language_model.state import states
from perennial.decide.language_model.versions import finish, supersede
from perennial.decide.outcome import Event, Outcome, earliest, event_of, record
from perennial.decide.pods.absence import PATIENCE
from perennial.decide.pods.diagnosis import waits_for_volumes


def decide(model: LanguageModel, observed: Observed, now: datetime) -> Outcome:
    """Each rule takes the record as the one before left it."""
    ledger = Ledger(model.status)
    ledger = finish(ledger, model, observed, now)
    ledger = supersede(ledger, model, observed, now)
    ledger = lost.mark(ledger, observed, now)
    ledger = imports.take(ledger, model, observed, now)
    ledger = promote(ledger, model, now)
    ledger = retraining.start(ledger, model, observed, now)
    ledger = collect(ledger, model, observed, now)
    status = _status(ledger, model, observed, now)
    return Outcome(
        status=status,
        apply=tuple(applied(model, observed)),
        delete=tuple(deleted(model, observed)),
        events=(*map(event_of, ledger.decisions), *_troubles(ledger, model.status, status)),
        again_at=earliest(retraining.next_time(ledger, model, observed, now), _next_look(observed, now)),
    )


def _troubles(ledger: Ledger, before: LanguageModelStatus, after: LanguageModelStatus) -> Iterator[Event]:
    """An Event when a person is needed or a deletion is stuck, or for another reason, unless a decision tells it."""
    told = {decision.reason for decision in ledger.decisions}
    for trouble_in in (_stall, _obstacle):
        old, new = trouble_in(before), trouble_in(after)
        if new and new.reason not in told and (old is None or new.reason != old.reason):
            yield Event(new.reason, new.message)


def _stall(status: LanguageModelStatus) -> Condition | None:
    return true_condition(status, "Stalled")


def _obstacle(status: LanguageModelStatus) -> Condition | None:
    """What keeps a deletion from its end."""
    collected = condition(status, "Collected")
    return collected if collected and collected.reason not in {"Collected", "Collecting"} else None


def _next_look(observed: Observed, now: datetime) -> datetime | None:
    """For pods of storage Jobs that don't come or don't start, of which no watch tells."""
    waits = any(
        not running.job.has_ended and (not running.pods or any(map(waits_for_volumes, running.pods)))
        for running in observed.storage_jobs.values()
    )
    return now + PATIENCE if waits else None


def _status(ledger: Ledger, model: LanguageModel, observed: Observed, now: datetime) -> LanguageModelStatus:
    generation = model.metadata.generation
    return ledger.status.model_copy(
        update={
            "observed_generation": generation,
            "conditions": conditions(states(ledger, model, observed, now), model.status.conditions, generation, now),
            "url": observed.deployment.status.url if observed.deployment else None,
            "decisions": record(model.status.decisions, list(ledger.decisions)),
        }
    )
