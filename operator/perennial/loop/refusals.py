"""Writes that the API server refuses: whether to look again at once, to report it, or to retry, and the advice."""

from datetime import datetime
from typing import TypeVar

from perennial.api.kind import Kind
from perennial.api.status import Status
from perennial.decide.conditions import State, conditions, summary
from perennial.decide.outcome import Manifest
from perennial.kube.client import ApiError
from perennial_contract.text import shortened

# 500 is the answer to a value that does not parse, or of a webhook that fails.
_REFUSALS = {400, 403, 413, 422, 500}
_LONGEST_MESSAGE = 2000

S = TypeVar("S", bound=Status)


class Conflict(Exception):
    """The object has changed since the decision: reconcile again."""


class Refused(Exception):
    """The API server, or the owner of another object with this name, refuses a child; the message says what to do."""


def translated(subject: str, error: ApiError) -> Exception:
    """The error of a write as Conflict, Refused, or itself if a retry may succeed."""
    if error.status == 409:
        return Conflict(f"{subject}: {error}")
    if error.status not in _REFUSALS:
        return error
    return Refused(f"{subject} was refused: {error.message.rstrip('.')}. {_advice(error)}")


def _advice(error: ApiError) -> str:
    if "exceeded quota" in error.message:
        return "Raise the quota of the namespace, or request less."
    if error.status == 403:
        return "Grant it to the operator (RBAC, admission policies), or change the spec."
    return "Correct the spec."


def refused_status(obj: Kind, status: S, message: str, now: datetime) -> S:
    """The status, with the refusal in place of its summary; while it lasts, a rollout does not progress either."""
    text = shortened(message, _LONGEST_MESSAGE)
    blocked = State("Progressing", False, "ApplyRefused", text)
    has_progress = any(each.type == blocked.type for each in status.conditions)
    summarized = summary(ready=False, stalled=True, reason=blocked.reason, message=text)
    states = (*summarized, blocked) if has_progress else summarized
    replaced = conditions(states, obj.status.conditions, obj.metadata.generation, now)
    names = {state.type for state in states}
    others = [each for each in status.conditions if each.type not in names]
    return status.model_copy(update={"conditions": [*replaced, *others]})


def unreadable_status(stored: Manifest, cause: str, now: datetime) -> Manifest | None:
    """The body that reports an object that can't be parsed; None if it is reported already."""
    message = f"This version of the operator can't read the object: {cause}; correct it or update the operator."
    at, before = stored["metadata"], stored.get("status", {})
    generation = at.get("generation", 1)
    is_stalled = any(each.get("message") == message for each in before.get("conditions", []))
    if is_stalled and before.get("observedGeneration") == generation:
        return None
    states = summary(ready=False, stalled=True, reason="Unreadable", message=message)
    return {
        "apiVersion": stored["apiVersion"],
        "kind": stored["kind"],
        "metadata": {name: at[name] for name in ("name", "namespace", "uid", "resourceVersion")},
        "status": {
            "observedGeneration": generation,
            "conditions": [each.to_wire() for each in conditions(states, (), generation, now)],
        },
    }
