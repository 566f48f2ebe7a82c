"""A model without a version needs its first one."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from perennial.api import LanguageModel
from perennial.api.language_model import TriggerStatus
from perennial.decide.language_model.triggers.trigger import Due, Trigger, View


@dataclass(frozen=True)
class Initial(Trigger):
    """Due once in the life of a model."""

    name: str = "Initial"
    configured: ClassVar[bool] = False

    @classmethod
    def of(cls, model: LanguageModel) -> Iterable[Trigger]:
        return (cls(),)

    def due(self, status: TriggerStatus, view: View) -> Due | None:
        return Due("a model needs a first version", "no version yet") if view.ledger.newest is None else None
