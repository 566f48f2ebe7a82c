"""A new trigger is one module, one entry in the registry and one block in the API: here it is added by a test."""

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import Field

from perennial.api import LanguageModel
from perennial.api import language_model as api
from perennial.api.language_model import TriggerStatus
from perennial.api.schema import ApiModel
from perennial.decide.language_model import retraining
from perennial.decide.language_model.ledger import Ledger
from perennial.decide.language_model.observed import Observed
from perennial.decide.language_model.triggers import TRIGGERS
from perennial.decide.language_model.triggers.trigger import Due, Trigger, View
from perennial_testing.specs.api_objects import DEFAULTS, NOW, language_model, version


class TideTrigger(ApiModel):
    """The block in the API."""

    high: bool = Field(description="Whether high tide starts a version.")


class TriggerWithTide(api.Trigger):
    tide: TideTrigger | None = None


class RetrainingWithTide(api.Retraining):
    triggers: list[TriggerWithTide]  # type: ignore[assignment]


@dataclass(frozen=True)
class Tide(Trigger):
    """The module."""

    name: str
    spec: TideTrigger

    @classmethod
    def of(cls, model: LanguageModel) -> Iterable[Trigger]:
        entries = model.spec.retraining.triggers
        return (cls(entry.name, entry.tide) for entry in entries if isinstance(entry, TriggerWithTide) and entry.tide)

    def due(self, status: TriggerStatus, view: View) -> Due | None:
        return Due("retraining.triggers: tide", "the tide is high") if self.spec.high else None


REGISTRY = (*TRIGGERS, Tide)


def served(high: bool) -> LanguageModel:
    """A model with an accepted version and the new trigger."""
    model = language_model()
    block = RetrainingWithTide.model_validate({"triggers": [{"name": "moon", "tide": {"high": high}}]})
    status = api.LanguageModelStatus.model_validate({"versions": [version()], "lastVersion": 1})
    spec = model.spec.model_copy(update={"retraining": block})
    return model.model_copy(update={"spec": spec, "status": status})


def started(model: LanguageModel, ledger: Ledger | None = None) -> Ledger:
    return retraining.start(ledger or Ledger(model.status), model, Observed(DEFAULTS), NOW, REGISTRY)


def test_a_new_trigger_starts_a_version() -> None:
    ledger = started(served(high=True))
    assert ledger.newest is not None
    assert (ledger.newest.number, ledger.newest.trigger) == (2, "moon")
    assert [decision.observed for decision in ledger.decisions] == ["the tide is high"]
    assert [status.name for status in ledger.status.triggers] == ["moon"]
    assert ledger.status.triggers[0].last_fire_time == NOW


def test_a_new_trigger_that_is_not_due_does_nothing() -> None:
    ledger = started(served(high=False))
    assert (ledger.decisions, ledger.status.last_version) == ((), 1)


def test_a_new_trigger_keeps_to_the_limits_without_a_line_of_its_own() -> None:
    model = served(high=True)
    ledger = started(model, started(model))
    assert [decision.reason for decision in ledger.decisions] == ["VersionStarted", "RetrainingHeld"]
    assert ledger.status.last_version == 2


def test_queries_problems_and_next_times_are_asked_of_it_too() -> None:
    model = served(high=True)
    assert retraining.queries(model, REGISTRY) == {}
    assert retraining.problem(model, REGISTRY) is None
    assert retraining.next_time(Ledger(model.status), model, Observed(DEFAULTS), NOW, REGISTRY) is None
