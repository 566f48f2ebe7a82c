"""Every enum, bound and pattern of the CRDs: the real API server refuses what is just beyond, and names the field."""

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
import yaml
from control_plane import ROOT, ControlPlane
from given_manifests import FULL, Manifest, manifest

Path = tuple[str | int, ...]
Schema = dict[str, Any]


def spec_schema(kind: str) -> Schema:
    crd = yaml.safe_load((ROOT / "crds" / f"{kind.lower()}s.yaml").read_text())
    schema: Schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return schema


def paths(schema: Schema, value: Any, path: Path = ()) -> Iterator[tuple[Path, Schema]]:
    """The fields that are set in the value, with their schemas."""
    yield path, schema
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from paths(schema["items"], item, (*path, index))
    elif isinstance(value, dict):
        for name, item in value.items():
            inner = schema["properties"][name] if "properties" in schema else schema["additionalProperties"]
            yield from paths(inner, item, (*path, name))


def beyond(schema: Schema, value: Any) -> Iterator[tuple[str, Any]]:
    """By constraint a value that breaks it."""
    if "enum" in schema:
        yield "enum", "Other"
    if "pattern" in schema:
        yield "pattern", "not a match\n"
    if "maxLength" in schema:
        yield "maxLength", "a" * (schema["maxLength"] + 1)
    if schema.get("minLength"):
        yield "minLength", ""
    if "minimum" in schema:
        yield "minimum", schema["minimum"] - (0 if schema.get("exclusiveMinimum") else 1)
    if "maximum" in schema:
        yield "maximum", schema["maximum"] + (0 if schema.get("exclusiveMaximum") else 1)
    if schema.get("minItems"):
        yield "minItems", []
    if "maxItems" in schema:
        names = schema.get("x-kubernetes-list-map-keys")
        yield "maxItems", [value[0] | ({"name": f"n{i}"} if names else {}) for i in range(schema["maxItems"] + 1)]
    if "maxProperties" in schema:
        yield "maxProperties", {f"r{i}": 1 for i in range(schema["maxProperties"] + 1)}
    for name in schema.get("required", []):
        yield f"required {name}", {key: inner for key, inner in value.items() if key != name}
    if schema.get("type") in ("integer", "number", "boolean"):
        yield "type", "text"


def replaced(spec: Manifest, path: Path, value: Any) -> Manifest:
    if not path:
        return value
    changed: Any = deepcopy(spec)
    inner = changed
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    return changed


def at(spec: Any, path: Path) -> Any:
    for part in path:
        spec = spec[part]
    return spec


def cases(kind: str) -> Iterator[tuple[str, Path, Manifest]]:
    """What is broken, where, and the manifest; each constraint once."""
    seen: set[tuple[Path, str]] = set()
    for spec in FULL[kind]:
        for path, schema in paths(spec_schema(kind), spec):
            general = tuple(part for part in path if isinstance(part, str))
            for constraint, value in beyond(schema, at(spec, path)):
                if (general, constraint) not in seen:
                    seen.add((general, constraint))
                    name = f"case-{len(seen)}"
                    yield constraint, path, manifest(kind, name, replaced(spec, path, value))


def field(path: Path) -> str:
    """The path as the API server writes it."""
    return "spec" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)


@pytest.mark.parametrize("kind", FULL)
def test_a_manifest_with_every_field_is_accepted(control_plane: ControlPlane, namespace: str, kind: str) -> None:
    documents = [manifest(kind, f"full-{index}", spec) for index, spec in enumerate(FULL[kind])]
    control_plane.kubectl("create", "--dry-run=server", "-n", namespace, "-f", "-", stdin=documents)


@pytest.mark.parametrize("kind", FULL)
def test_every_field_of_the_schema_is_set_in_some_manifest(kind: str) -> None:
    set_fields = {
        tuple(part for part in path if isinstance(part, str))
        for spec in FULL[kind]
        for path, _ in paths(spec_schema(kind), spec)
    }
    assert set(_fields(spec_schema(kind))) - set_fields == set()


def _fields(schema: Schema, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, inner in schema.get("properties", {}).items():
        yield (*path, name)
        yield from _fields(inner, (*path, name))
    if "items" in schema:
        yield from _fields(schema["items"], path)


@pytest.mark.parametrize("kind", FULL)
def test_each_constraint_refuses_what_is_beyond(control_plane: ControlPlane, namespace: str, kind: str) -> None:
    broken = list(cases(kind))
    assert len(broken) > 20
    documents = [document for _, _, document in broken]
    done = control_plane.kubectl("create", "--dry-run=server", "-n", namespace, "-f", "-", stdin=documents, check=False)
    assert done.stdout == "", "accepted"
    refusals = dict(_refusals(done.stderr))
    for constraint, path, document in broken:
        said = refusals[document["metadata"]["name"]]
        missing = constraint.removeprefix("required ")
        expected = field((*path, missing) if missing != constraint else path)
        assert expected in said, f"{constraint} of {field(path)}: {said}"


def _refusals(stderr: str) -> Iterator[tuple[str, str]]:
    """By name of the object what was said."""
    for text in re.split(r"\n(?=The |Error from server)", stderr):
        if name := re.search(r'"(case-\d+)"', text):
            yield name[1], text
