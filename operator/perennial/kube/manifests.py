"""Whether an object already is as its manifest says, so that nothing need be written."""

import hashlib
import json
from decimal import Decimal
from typing import Any

from kubernetes.utils.quantity import parse_quantity

from perennial.decide.labels import MANIFEST_HASH
from perennial.decide.outcome import Manifest

_QUANTITIES = {"requests", "limits"}
# Another label in it selects other pods, or none.
_EXACT = "selector"
# On the wire of Kubernetes a field with the zero value of its type and an absent field mean the same.
_ZERO: tuple[Any, ...] = (None, False, 0, "", {}, [])


def with_hash(manifest: Manifest) -> Manifest:
    """The manifest with its own digest as an annotation, by which a field that is no longer in it is noticed."""
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:16]
    at = manifest["metadata"]
    return manifest | {"metadata": at | {"annotations": at.get("annotations", {}) | {MANIFEST_HASH: digest}}}


def holds(observed: Any, wanted: Any, field: str = "") -> bool:
    """Whether all that is wanted is there; more may be, as the server fills in defaults.

    With the digest among the annotations this says: the object was written from this very manifest, and
    nobody has changed since what the manifest says.
    """
    if observed is None:
        return wanted in _ZERO or (isinstance(wanted, dict) and all(holds(None, value) for value in wanted.values()))
    if field == _EXACT:
        return bool(observed == wanted)
    if isinstance(wanted, dict):
        return isinstance(observed, dict) and all(
            _same_quantity(observed.get(key), value) if field in _QUANTITIES else holds(observed.get(key), value, key)
            for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(observed, list) and _holds_items(observed, wanted)
    return bool(observed == wanted)


def _holds_items(observed: list[Any], wanted: list[Any]) -> bool:
    """By name where all have one, as admission may add containers or volumes; else one by one."""
    if wanted and all(isinstance(item, dict) and "name" in item for item in [*wanted, *observed]):
        named = {item["name"]: item for item in observed}
        return all(holds(named.get(item["name"]), item) for item in wanted)
    return len(observed) == len(wanted) and all(map(holds, observed, wanted))


def _same_quantity(observed: Any, wanted: Any) -> bool:
    try:
        return bool(_number(observed) == _number(wanted))
    except (ValueError, TypeError):
        return bool(observed == wanted)


def _number(quantity: Any) -> Decimal:
    number: Decimal = parse_quantity(quantity)  # type: ignore[no-untyped-call]  # the library has no annotations
    return number
