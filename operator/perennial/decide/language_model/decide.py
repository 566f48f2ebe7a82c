"""What follows for a LanguageModel: trainings, one service, and the record of its life."""

from datetime import datetime

from perennial.api import LanguageModel
from perennial.api.language_model import LanguageModelStatus
from perennial.decide.conditions import conditions
from perennial.decide.language_model import retraining
from perennial.decide.language_model.children import unwanted, wanted
from perennial.decide.language_model.ledger import Ledger
from perennial.decide.language_model.observed import Observed
from perennial.decide.language_model.promotion import promote
from perennial.decide.language_model.retention import collect
from perennial.decide.language_model.state import states
from perennial.decide.language_model.versions import finish, supersede
from perennial.decide.outcome import Outcome, event_of, record


def decide(model: LanguageModel, seen: Observed, now: datetime) -> Outcome:
    """Pure. Each rule takes the record as the one before left it."""
    ledger = Ledger(model.status)
    ledger = finish(ledger, model, seen, now)
    ledger = supersede(ledger, model, seen, now)
    ledger = promote(ledger, model, now)
    ledger = retraining.start(ledger, model, seen, now)
    ledger = collect(ledger, model, seen, now)
    return Outcome(
        status=_status(ledger, model, seen, now),
        apply=tuple(wanted(model, seen)),
        delete=tuple(unwanted(model, seen)),
        events=tuple(event_of(decision) for decision in ledger.decisions),
        again_at=retraining.next_time(ledger, model, seen, now),
    )


def _status(ledger: Ledger, model: LanguageModel, seen: Observed, now: datetime) -> LanguageModelStatus:
    generation = model.metadata.generation
    return ledger.status.model_copy(
        update={
            "observed_generation": generation,
            "conditions": conditions(states(ledger, model, seen), model.status.conditions, generation, now),
            "url": seen.deployment.status.url if seen.deployment else None,
            "decisions": record(model.status.decisions, list(ledger.decisions)),
        }
    )
