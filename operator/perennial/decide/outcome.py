"""The outcome of a decision, which the loop applies."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from perennial.api.status import Decision, Status
from perennial.decide.reasons import Severity, severity

Manifest = dict[str, Any]
KEPT_DECISIONS = 20


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
    """The last decisions, the newest last."""
    return [*before, *new][-KEPT_DECISIONS:]


def event_of(decision: Decision) -> Event:
    """The Event that announces a decision."""
    return Event(decision.reason, f"{decision.observed}; {decision.outcome}")


def earliest(*times: datetime | None) -> datetime | None:
    """The first of the given times."""
    return min((time for time in times if time), default=None)
