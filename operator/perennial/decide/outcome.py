"""What a decision asks the shell to do."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from perennial.api.common import Decision, Status
from perennial.decide.reasons import Severity, severity

Manifest = dict[str, Any]
KEPT_DECISIONS = 20


@dataclass(frozen=True)
class Reference:
    """An object of the cluster; with its uid, exactly this one and none that came after it."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str | None = None


@dataclass(frozen=True)
class Event:
    """An Event on the object that was decided on."""

    reason: str
    message: str

    @property
    def type(self) -> Severity:
        """Normal or Warning, by the table of reasons."""
        return severity(self.reason)


@dataclass(frozen=True)
class Outcome:
    """Children to apply and to delete, the status that the object should have, events, and when to look again.

    Children follow from the *observed* status only: what a new status allots (a version's number, say) is
    built in the next look, when the status is stored. So a crash between two writes does no harm.
    """

    status: Status
    apply: tuple[Manifest, ...] = ()
    delete: tuple[Reference, ...] = ()
    events: tuple[Event, ...] = ()
    again_at: datetime | None = None


def record(kept: list[Decision], new: list[Decision]) -> list[Decision]:
    """The last decisions, the newest last."""
    return [*kept, *new][-KEPT_DECISIONS:]


def event_of(decision: Decision) -> Event:
    """The Event that announces a decision."""
    return Event(decision.reason, f"{decision.observed}; {decision.outcome}")


def earliest(*moments: datetime | None) -> datetime | None:
    """The first of the moments that are set."""
    return min((moment for moment in moments if moment), default=None)
