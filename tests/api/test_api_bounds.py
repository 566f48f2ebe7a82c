"""Every enum, bound and pattern of the CRDs: the real API server refuses what is just beyond, and names the field."""

import re
from collections.abc import Iterator

import pytest
import yaml

from perennial_testing.cluster.control_plane import ROOT, ControlPlane
from perennial_testing.specs.broken_specs import Path, Schema, bounds, places, replaced
from perennial_testing.specs.small_manifests import FULL, Manifest, manifest


def spec_schema(kind: str) -> Schema:
    crd = yaml.safe_load((ROOT / "crds" / f"{kind.lower()}s.yaml").read_text())
    schema: Schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return schema


def cases(kind: str) -> Iterator[tuple[str, Path, Manifest]]:
    """What is broken, where, and the manifest; each constraint once."""
    seen: set[tuple[Path, str]] = set()
    for spec in FULL[kind]:
        for path, schema, value in places(spec_schema(kind), spec):
            general = tuple(part for part in path if isinstance(part, str))
            for constraint, worse in bounds(schema, value):
                if (general, constraint) not in seen:
                    seen.add((general, constraint))
                    name = f"case-{len(seen)}"
                    yield constraint, path, manifest(kind, name, replaced(spec, path, worse))


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
        for path, _, _ in places(spec_schema(kind), spec)
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
