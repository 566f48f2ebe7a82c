"""The record of a LanguageModel's life that the rules work on: the next status and the new decisions."""

from dataclasses import dataclass, replace
from datetime import datetime

from perennial.api.common import Decision
from perennial.api.language_model import LanguageModelStatus, TriggerStatus, Version


@dataclass(frozen=True)
class Ledger:
    """The next status as far as it is decided, and what was decided on the way."""

    status: LanguageModelStatus
    decisions: tuple[Decision, ...] = ()

    @property
    def newest(self) -> Version | None:
        """The version with the highest number."""
        return max(self.status.versions, key=lambda version: version.number, default=None)

    @property
    def in_training(self) -> Version | None:
        """The version that is being trained; there is one at most."""
        return next((version for version in self.status.versions if version.state == "Training"), None)

    @property
    def serving(self) -> Version | None:
        """The version that should be in service."""
        return self.version(self.status.serving_version)

    def version(self, number: int | None) -> Version | None:
        """The version with this number, if it is kept."""
        return next((version for version in self.status.versions if version.number == number), None)

    def trigger(self, name: str) -> TriggerStatus:
        """What is known of a trigger."""
        return next((known for known in self.status.triggers if known.name == name), TriggerStatus(name=name))

    def update(self, **changes: object) -> "Ledger":
        """With these fields of the status changed."""
        return replace(self, status=self.status.model_copy(update=changes))

    def with_version(self, changed: Version) -> "Ledger":
        """With this version in the place of the one of its number, or at the end."""
        others = [version for version in self.status.versions if version.number != changed.number]
        return self.update(versions=sorted([*others, changed], key=lambda version: version.number))

    def with_trigger(self, changed: TriggerStatus) -> "Ledger":
        """With this trigger in the place of the one of its name."""
        others = [known for known in self.status.triggers if known.name != changed.name]
        return self.update(triggers=sorted([*others, changed], key=lambda known: known.name))

    def record(self, now: datetime, reason: str, rule: str, observed: str, outcome: str) -> "Ledger":
        """With one more decision."""
        decision = Decision(decision_time=now, reason=reason, rule=rule, observed=observed, outcome=outcome)
        return replace(self, decisions=(*self.decisions, decision))
