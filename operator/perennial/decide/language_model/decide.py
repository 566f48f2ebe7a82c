"""Reconciliation of a LanguageModel: trainings, one Deployment, and the record of its life."""

from datetime import datetime

from perennial.api import LanguageModel
from perennial.api.language_model import LanguageModelStatus
from perennial.decide.conditions import conditions
from perennial.decide.language_model import retraining
from perennial.decide.language_model.children import applied, deleted
from perennial.decide.language_model.ledger import Ledger
from perennial.decide.language_model.observed import Observed
from perennial.decide.language_model.promotion import promote
from perennial.decide.language_model.retention import collect
from perennial.decide.language_model.state import states
from perennial.decide.language_model.versions import finish, supersede
from perennial.decide.outcome import Outcome, event_of, record


def decide(model: LanguageModel, observed: Observed, now: datetime) -> Outcome:
    """Each rule takes the record as the one before left it."""
    ledger = Ledger(model.status)
    ledger = finish(ledger, model, observed, now)
    ledger = supersede(ledger, model, observed, now)
    ledger = promote(ledger, model, now)
    ledger = retraining.start(ledger, model, observed, now)
    ledger = collect(ledger, model, observed, now)
    return Outcome(
        status=_status(ledger, model, observed, now),
        apply=tuple(applied(model, observed)),
        delete=tuple(deleted(model, observed)),
        events=tuple(event_of(decision) for decision in ledger.decisions),
        again_at=retraining.next_time(ledger, model, observed, now),
    )


def _status(ledger: Ledger, model: LanguageModel, observed: Observed, now: datetime) -> LanguageModelStatus:
    generation = model.metadata.generation
    return ledger.status.model_copy(
        update={
            "observed_generation": generation,
            "conditions": conditions(states(ledger, model, observed), model.status.conditions, generation, now),
            "url": observed.deployment.status.url if observed.deployment else None,
            "decisions": record(model.status.decisions, list(ledger.decisions)),
        }
    )
