"""Whose field it is: metadata.managedFields of an object, as server-side apply keeps them."""

import json
from typing import Any

from perennial.decide.outcome import Manifest
from perennial.kube.manifests import FieldPath, Named

_Fields = dict[str, Any]


def manager_of(manifest: Manifest, path: FieldPath, ours: str) -> str | None:
    """The last other field manager that set this field of the object, if one did."""
    entries = [
        entry
        for entry in manifest["metadata"].get("managedFields", ())
        if entry["manager"] != ours and _has(entry.get("fieldsV1", {}), manifest, path)
    ]
    latest = max(entries, key=lambda entry: str(entry.get("time", "")), default=None)
    return str(latest["manager"]) if latest else None


def _has(fields: _Fields, observed: Any, path: FieldPath) -> bool:
    """Whether the set contains the field, a field in it, or all of a list or map around it.

    The name of a list's item is known, the keys of the set are others: they are compared with the item.
    """
    if not path or not fields:
        return True
    step, *rest = path
    inside, value = _item(fields, observed, step) if isinstance(step, int | Named) else _field(fields, observed, step)
    return inside is not None and _has(inside, value, tuple(rest))


def _field(fields: _Fields, observed: Any, name: str) -> tuple[_Fields | None, Any]:
    return fields.get(f"f:{name}"), observed.get(name) if isinstance(observed, dict) else None


def _item(fields: _Fields, observed: Any, step: int | Named) -> tuple[_Fields | None, Any]:
    item = _at(observed if isinstance(observed, list) else [], step)
    return next((inside for key, inside in fields.items() if _identifies(key, item, step)), None), item


def _at(items: list[Any], step: int | Named) -> Any:
    if isinstance(step, Named):
        return next((item for item in items if item["name"] == step.name), None)
    return items[step] if step < len(items) else None


def _identifies(key: str, item: Any, step: int | Named) -> bool:
    """Keys of items: k: the fields that identify it, v: its value, i: its index."""
    form, _, text = key.partition(":")
    if form == "k" and isinstance(item, dict):
        return all(item.get(name) == value for name, value in json.loads(text).items())
    return (form == "v" and json.loads(text) == item) or (form == "i" and json.loads(text) == step)
