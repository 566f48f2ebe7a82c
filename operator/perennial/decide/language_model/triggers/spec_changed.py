"""A change of the spec that makes another model needs a new version; so does the correction of a failed training."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from perennial.api import LanguageModel
from perennial.api.language_model import TriggerStatus
from perennial.decide.fingerprint import fingerprint
from perennial.decide.language_model.triggers.trigger import Due, Trigger, View
from perennial.decide.language_model.versions import runs_otherwise


@dataclass(frozen=True)
class SpecChanged(Trigger):
    """Due while the newest version was not trained from the current spec."""

    name: str = "SpecChanged"
    configured: ClassVar[bool] = False

    @classmethod
    def of(cls, model: LanguageModel) -> Iterable[Trigger]:
        return (cls(),)

    def due(self, status: TriggerStatus, view: View) -> Due | None:
        newest = view.ledger.newest
        if newest is None:
            return None
        if newest.fingerprint != fingerprint(view.model.spec):
            return Due("only the newest spec is trained", f"model, data or training differ from v{newest.number}")
        if newest.is_untrained and runs_otherwise(newest, view.model):
            changed = f"v{newest.number} was not trained, and storage, compute, runtime or Secrets changed"
            return Due("retry with the corrected spec", changed)
        return None
