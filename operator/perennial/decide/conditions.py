"""Conditions by the Kubernetes convention (KEP-1623) and kstatus."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from perennial.api.status import LONGEST_CONDITION_MESSAGE, Condition


@dataclass(frozen=True)
class State:
    """The next state of a condition."""

    type: str
    status: bool
    reason: str
    message: str


def conditions(states: Iterable[State], before: Iterable[Condition], generation: int, now: datetime) -> list[Condition]:
    """The conditions for these states; the transition time changes only with the status."""
    previous = {condition.type: condition for condition in before}
    return [_condition(state, previous.get(state.type), generation, now) for state in states]


def _condition(state: State, before: Condition | None, generation: int, now: datetime) -> Condition:
    status = "True" if state.status else "False"
    since = before.last_transition_time if before and before.status == status else now
    return Condition(
        type=state.type,
        status=status,
        observed_generation=generation,
        last_transition_time=since,
        reason=state.reason,
        message=state.message[:LONGEST_CONDITION_MESSAGE],
    )


def summary(
    *, ready: bool, stalled: bool, reason: str, message: str, reconciling: bool | None = None
) -> tuple[State, State, State]:
    """Ready, Reconciling and Stalled as kstatus defines them.

    An object that is neither ready nor stalled is reconciling; a ready one may be reconciling as well.
    """
    working = (not ready and not stalled) if reconciling is None else reconciling
    return (
        State("Ready", ready, reason, message),
        State("Reconciling", working, reason if working else "Idle", message if working else "Not reconciling."),
        State("Stalled", stalled, reason if stalled else "NotStalled", message if stalled else "Not stalled."),
    )
