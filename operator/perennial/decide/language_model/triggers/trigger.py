"""The protocol of the family: a trigger is one cause of new versions."""

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Protocol

from perennial.api import LanguageModel
from perennial.api.language_model import TriggerStatus
from perennial.decide.language_model.ledger import Ledger
from perennial.decide.language_model.observed import Observed


@dataclass(frozen=True)
class View:
    """Everything a trigger may look at."""

    ledger: Ledger
    model: LanguageModel
    observed: Observed
    now: datetime


@dataclass(frozen=True)
class Due:
    """Grounds for a new version: the rule, and the observation that satisfies it."""

    rule: str
    observed: str


class Trigger(Protocol):
    """One cause of new versions, read from the spec. Its memory is the TriggerStatus of its name, never the object.

    Only `of` and `due` are required. The order of calls in each reconcile is observe, due, then at most one of
    held and fired.
    """

    name: str
    # Whether it is an entry of retraining.triggers: the limits of retraining apply, and it has a status.
    configured: ClassVar[bool] = True

    @classmethod
    @abstractmethod
    def of(cls, model: LanguageModel) -> Iterable["Trigger"]:
        """The triggers of this type in the model's spec."""

    @abstractmethod
    def due(self, status: TriggerStatus, view: View) -> Due | None:
        """Grounds for a new version now, if there are any."""

    def watched(self) -> object:
        """The part of the spec whose change resets the status, as JSON."""
        return None

    def query(self) -> str | None:
        """PromQL to evaluate; its value or error is observed.readings[name]."""
        return None

    def problem(self) -> str | None:
        """An error in the spec that the API server can't detect."""
        return None

    def observe(self, status: TriggerStatus, view: View) -> TriggerStatus:
        """The status after an observation."""
        return status

    def held(self, status: TriggerStatus, view: View) -> TriggerStatus:
        """The status after a hold. A change is recorded as a decision."""
        return status

    def fired(self, status: TriggerStatus, view: View) -> TriggerStatus:
        """The status after it started a version."""
        return status

    def next_time(self, status: TriggerStatus, view: View) -> datetime | None:
        """Time of the next reconcile that this trigger needs."""
        return None


def clock(moment: datetime) -> str:
    """The time as in Kubernetes objects."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
