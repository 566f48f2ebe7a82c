"""Whether an object agrees with its manifest, so that no write is needed, and in which field it does not."""

import json
from decimal import Decimal
from typing import Any, NamedTuple

from kubernetes.utils.quantity import parse_quantity

from perennial.decide.digest import digest
from perennial.decide.labels import MANIFEST_HASH
from perennial.decide.outcome import Manifest

_QUANTITIES = {"requests", "limits"}
# An additional label in it selects other pods, or none.
_EXACT = "selector"
# In Kubernetes a field with the zero value of its type and an absent field mean the same.
_ZERO: tuple[Any, ...] = (None, False, 0, "", {}, [])


class Named(NamedTuple):
    """The item of a list with this name."""

    name: str


# From an object to one of its fields: names of fields, and items of lists by name or by index.
FieldPath = tuple[str | int | Named, ...]


def with_hash(manifest: Manifest) -> Manifest:
    """The manifest with its own digest as an annotation, which shows that a field was removed from it.

    The digest comes last, so that a difference is that of another field if there is one.
    """
    annotations = manifest["metadata"].get("annotations", {}) | {MANIFEST_HASH: digest(manifest)}
    return _at_end(manifest, "metadata", _at_end(manifest["metadata"], "annotations", annotations))


def _at_end(mapping: Manifest, key: str, value: Any) -> Manifest:
    return {name: each for name, each in mapping.items() if name != key} | {key: value}


def hash_of(manifest: Manifest) -> str | None:
    """The digest of the manifest that an object was applied from."""
    value: str | None = manifest["metadata"].get("annotations", {}).get(MANIFEST_HASH)
    return value


def holds(observed: Any, desired: Any) -> bool:
    """Whether the object has all fields of the manifest; it may have others, such as the server's defaults.

    With the digest among the annotations this means: the object was applied from this very manifest, and
    nobody has changed a field of it since.
    """
    return first_difference(observed, desired) is None


def first_difference(observed: Any, desired: Any, field: str = "") -> FieldPath | None:
    """The first field of the manifest that the object lacks or has with another value."""
    if observed is None:
        return None if _means_absent(desired) else ()
    if field != _EXACT and isinstance(desired, dict) and isinstance(observed, dict):
        return _in_mapping(observed, desired, field)
    if isinstance(desired, list) and isinstance(observed, list):
        return _in_list(observed, desired)
    return None if observed == desired else ()


def _means_absent(desired: Any) -> bool:
    return desired in _ZERO or (isinstance(desired, dict) and all(map(_means_absent, desired.values())))


def _in_mapping(observed: dict[str, Any], desired: dict[str, Any], field: str) -> FieldPath | None:
    for key, value in desired.items():
        compare = _quantity_difference if field in _QUANTITIES else first_difference
        if (inner := compare(observed.get(key), value, key)) is not None:
            return (key, *inner)
    return None


def _in_list(observed: list[Any], desired: list[Any]) -> FieldPath | None:
    """By name where all items have one, as admission may add containers or volumes; else in order."""
    if desired and all(isinstance(item, dict) and "name" in item for item in [*desired, *observed]):
        named = {item["name"]: item for item in observed}
        pairs: list[tuple[Named | int, Any, Any]] = [
            (Named(item["name"]), named.get(item["name"]), item) for item in desired
        ]
    elif len(observed) == len(desired):
        pairs = list(zip(range(len(desired)), observed, desired, strict=True))
    else:
        return ()
    differences = ((step, first_difference(before, after)) for step, before, after in pairs)
    return next(((step, *inner) for step, inner in differences if inner is not None), None)


def as_text(path: FieldPath) -> str:
    """The path as the API server writes it in its messages: .spec.containers[name="serve"].args[0]."""
    return "".join(map(_step, path))


def _step(step: str | int | Named) -> str:
    if isinstance(step, Named):
        return f"[name={json.dumps(step.name)}]"
    return f"[{step}]" if isinstance(step, int) else f".{step}"


def _quantity_difference(observed: Any, desired: Any, _: str) -> FieldPath | None:
    try:
        same = _number(observed) == _number(desired)
    except (ValueError, TypeError):
        same = bool(observed == desired)
    return None if same else ()


def _number(quantity: Any) -> Decimal:
    number: Decimal = parse_quantity(quantity)  # type: ignore[no-untyped-call]  # the library has no annotations
    return number
