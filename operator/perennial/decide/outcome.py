"""The outcome of a decision, which the loop applies."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from perennial.api.status import KEPT_DECISIONS, Decision, Status
from perennial.decide.reasons import Severity, severity

Manifest = dict[str, Any]
# A trigger is held back again and again; the rule of the decision names it.
COUNTED = {"RetrainingHeld"}
# Since when, and why, the version in service is that one.
KEPT = {"VersionPromoted", "VersionRolledBack"}


@dataclass(frozen=True)
class Reference:
    """An object of the cluster; with a uid exactly this object, not a successor of the same name."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str | None = None

    @classmethod
    def of(cls, manifest: Manifest) -> "Reference":
        """Exactly this object."""
        at = manifest["metadata"]
        return cls(manifest["apiVersion"], manifest["kind"], at["namespace"], at["name"], at["uid"])


@dataclass(frozen=True)
class Event:
    """An Event about the object."""

    reason: str
    message: str

    @property
    def type(self) -> Severity:
        """Normal or Warning, by the table of reasons."""
        return severity(self.reason)


@dataclass(frozen=True)
class Outcome:
    """Children to apply and to delete, the next status, Events, and the time of the next reconcile.

    Children follow from the *stored* status only: what a new status allots (the number of a version, say) is
    built in the next reconcile, once the status is stored. So a crash between two writes is harmless.
    """

    status: Status
    apply: tuple[Manifest, ...] = ()
    delete: tuple[Reference, ...] = ()
    events: tuple[Event, ...] = ()
    again_at: datetime | None = None


def record(before: list[Decision], new: list[Decision]) -> list[Decision]:
    """The last decisions, the newest last; of those that tell what is in service, the last one stays."""
    decisions = before
    for decision in new:
        decisions = _with(decisions, decision)
    last = decisions[-KEPT_DECISIONS:]
    kept = next((decision for decision in reversed(decisions) if decision.reason in KEPT), None)
    return last if kept is None or kept in last else [kept, *last[1:]]


def _with(before: list[Decision], new: Decision) -> list[Decision]:
    """With one more decision; it takes the place of the entry that counts it from now on."""
    same = next((entry for entry in before if _counts(entry, new)), None)
    if same is None:
        return [*before, new]
    count = {"decision_time": same.decision_time, "count": (same.count or 1) + 1, "last_time": new.decision_time}
    return [*(entry for entry in before if entry is not same), new.model_copy(update=count)]


def _counts(entry: Decision, new: Decision) -> bool:
    return new.reason in COUNTED and (entry.reason, entry.rule) == (new.reason, new.rule)


def event_of(decision: Decision) -> Event:
    """The Event that announces a decision."""
    return Event(decision.reason, f"{decision.observed}; {decision.outcome}")


def earliest(*times: datetime | None) -> datetime | None:
    """The first of the given times."""
    return min((time for time in times if time), default=None)
