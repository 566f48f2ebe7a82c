"""The record that the rules work on: the next status and the new decisions."""

from dataclasses import dataclass, replace
from datetime import datetime

from perennial.api.language_model import LanguageModelStatus, TriggerStatus, Version
from perennial.api.status import Decision


@dataclass(frozen=True)
class Ledger:
    """The next status as far as it is decided, and the decisions so far."""

    status: LanguageModelStatus
    decisions: tuple[Decision, ...] = ()

    @property
    def newest(self) -> Version | None:
        """The version with the highest number."""
        return max(self.status.versions, key=lambda version: version.number, default=None)

    @property
    def in_training(self) -> Version | None:
        """The version in training; there is at most one."""
        return next((version for version in self.status.versions if version.in_training), None)

    @property
    def serving(self) -> Version | None:
        """The promoted version."""
        return self.version(self.status.serving_version)

    def version(self, number: int | None) -> Version | None:
        """The version with this number, if it is listed."""
        return next((version for version in self.status.versions if version.number == number), None)

    def trigger(self, name: str) -> TriggerStatus:
        """The status of a trigger, empty if there is none yet."""
        return next((status for status in self.status.triggers if status.name == name), TriggerStatus(name=name))

    def update(self, **changes: object) -> "Ledger":
        """With these fields of the status changed."""
        return replace(self, status=self.status.model_copy(update=changes))

    def with_version(self, changed: Version) -> "Ledger":
        """With this version added, or replaced by number."""
        others = [version for version in self.status.versions if version.number != changed.number]
        changed = changed.model_copy(update={"state": state_of(changed)})
        return self.update(versions=sorted([*others, changed], key=lambda version: version.number))

    def without_version(self, dropped: Version) -> "Ledger":
        """Without the entry of this version."""
        return self.update(versions=[v for v in self.status.versions if v.number != dropped.number])

    def with_trigger(self, changed: TriggerStatus) -> "Ledger":
        """With this trigger status added, or replaced by name."""
        others = [status for status in self.status.triggers if status.name != changed.name]
        return self.update(triggers=sorted([*others, changed], key=lambda status: status.name))

    def record(self, now: datetime, reason: str, rule: str, observed: str, outcome: str) -> "Ledger":
        """With one more decision."""
        decision = Decision(decision_time=now, reason=reason, rule=rule, observed=observed, outcome=outcome)
        return replace(self, decisions=(*self.decisions, decision))


def state_of(version: Version) -> str:
    """The facts about a version in one word, for display."""
    if version.in_training:
        return "Training"
    if version.superseded_time:
        return "Superseded"
    if version.passed_gates is None:
        return "Failed"
    return "Accepted" if version.passed_gates else "Refused"
