"""Whether an object agrees with its manifest, so that no write is needed."""

import hashlib
import json
from decimal import Decimal
from typing import Any

from kubernetes.utils.quantity import parse_quantity

from perennial.decide.labels import MANIFEST_HASH
from perennial.decide.outcome import Manifest

_QUANTITIES = {"requests", "limits"}
# An additional label in it selects other pods, or none.
_EXACT = "selector"
# In Kubernetes a field with the zero value of its type and an absent field mean the same.
_ZERO: tuple[Any, ...] = (None, False, 0, "", {}, [])


def with_hash(manifest: Manifest) -> Manifest:
    """The manifest with its own digest as an annotation, which shows that a field was removed from it."""
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:16]
    at = manifest["metadata"]
    return manifest | {"metadata": at | {"annotations": at.get("annotations", {}) | {MANIFEST_HASH: digest}}}


def holds(observed: Any, desired: Any, field: str = "") -> bool:
    """Whether the object has all fields of the manifest; it may have others, such as the server's defaults.

    With the digest among the annotations this means: the object was applied from this very manifest, and
    nobody has changed a field of it since.
    """
    if observed is None:
        return desired in _ZERO or (isinstance(desired, dict) and all(holds(None, value) for value in desired.values()))
    if field == _EXACT:
        return bool(observed == desired)
    if isinstance(desired, dict):
        return isinstance(observed, dict) and all(
            _same_quantity(observed.get(key), value) if field in _QUANTITIES else holds(observed.get(key), value, key)
            for key, value in desired.items()
        )
    if isinstance(desired, list):
        return isinstance(observed, list) and _holds_items(observed, desired)
    return bool(observed == desired)


def _holds_items(observed: list[Any], desired: list[Any]) -> bool:
    """By name where all items have one, as admission may add containers or volumes; else in order."""
    if desired and all(isinstance(item, dict) and "name" in item for item in [*desired, *observed]):
        named = {item["name"]: item for item in observed}
        return all(holds(named.get(item["name"]), item) for item in desired)
    return len(observed) == len(desired) and all(map(holds, observed, desired))


def _same_quantity(observed: Any, desired: Any) -> bool:
    try:
        return bool(_number(observed) == _number(desired))
    except (ValueError, TypeError):
        return bool(observed == desired)


def _number(quantity: Any) -> Decimal:
    number: Decimal = parse_quantity(quantity)  # type: ignore[no-untyped-call]  # the library has no annotations
    return number
