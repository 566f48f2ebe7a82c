"""What a user sees of the API through kubectl: strictness, explanations, defaults, columns, scale."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from perennial.api import KINDS
from perennial.api.status import UNOBSERVED
from perennial_testing.cluster.control_plane import ROOT, ControlPlane
from perennial_testing.specs.small_manifests import SMALL, manifest, merged

RESOURCES = {
    "LanguageModel": "languagemodels",
    "TrainingJob": "trainingjobs",
    "Deployment": "deployments.perennial.dev",
}


def schema_of(kind: str) -> dict[str, Any]:
    crd = yaml.safe_load((ROOT / "crds" / f"{kind.lower()}s.yaml").read_text())
    schema: dict[str, Any] = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


@pytest.mark.parametrize("kind", SMALL)
def test_an_unknown_field_is_refused(control_plane: ControlPlane, namespace: str, kind: str) -> None:
    document = manifest(kind, "one", merged(SMALL[kind], {"model": {"learningRat": 1}}))
    refused = control_plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=document, check=False)
    assert 'unknown field "spec.model.learningRat"' in refused.stderr


@pytest.mark.parametrize("kind", SMALL)
def test_every_field_is_explained(control_plane: ControlPlane, kind: str) -> None:
    told = control_plane.kubectl("explain", RESOURCES[kind], "--recursive").stdout
    listed = {line.split("\t")[0].strip().rstrip(" <") for line in told.splitlines() if "\t<" in line}
    assert set(_names(schema_of(kind))) - listed == set()


def _names(schema: dict[str, Any]) -> Iterator[str]:
    for name, inner in schema.get("properties", {}).items():
        yield name
        yield from _names(inner)
    if "items" in schema:
        yield from _names(schema["items"])


def test_an_explanation_names_units_and_values(control_plane: ControlPlane) -> None:
    told = control_plane.kubectl("explain", "languagemodel.spec.training.hyperparameters").stdout
    assert "optimizer steps" in told
    told = control_plane.kubectl("explain", "lm.spec.training.hyperparameters.learningRateSchedule").stdout
    assert all(word in told for word in ("constant", "linear", "cosine"))


def test_the_defaults_of_a_block_are_filled_in(control_plane: ControlPlane, namespace: str) -> None:
    control_plane.kubectl(
        "create", "-n", namespace, "-f", "-", stdin=manifest("LanguageModel", "a", SMALL["LanguageModel"])
    )
    stored = control_plane.get("lm", "a", "-n", namespace)["spec"]
    assert stored["model"]["architecture"] == {
        "family": "transformer", "tokenizer": "bpe", "layers": 4, "hiddenSize": 128, "heads": 4, "contextLength": 128,
        "vocabularySize": 2048, "dropout": 0.1,
    }  # fmt: skip


@pytest.mark.parametrize("kind", SMALL)
def test_the_stored_object_shows_the_defaults(control_plane: ControlPlane, namespace: str, kind: str) -> None:
    """What is stored is the spec as the operator reads it, but for what is off or in the items of a list."""
    control_plane.kubectl("create", "-n", namespace, "-f", "-", stdin=manifest(kind, "a", SMALL[kind]))
    stored = control_plane.get(RESOURCES[kind], "a", "-n", namespace)
    (model,) = (model for model in KINDS if kind == model.KIND)
    assert _comparable(stored["spec"]) == _comparable(model.model_validate(stored).spec.to_wire())


@pytest.mark.parametrize("kind", SMALL)
def test_a_new_object_says_that_it_is_not_observed_yet(control_plane: ControlPlane, namespace: str, kind: str) -> None:
    """Else kstatus, by which Flux waits, took it for a current one."""
    control_plane.kubectl("create", "-n", namespace, "-f", "-", stdin=manifest(kind, "a", SMALL[kind]))
    assert control_plane.get(RESOURCES[kind], "a", "-n", namespace)["status"] == UNOBSERVED


def _comparable(value: Any) -> Any:
    """Without blocks that hold nothing, and without lists: the API server fills in no item of a list."""
    if not isinstance(value, dict):
        return value
    slim = {name: _comparable(inner) for name, inner in value.items()}
    return {name: inner for name, inner in slim.items() if inner != {} and not isinstance(inner, list)}


def test_the_kinds_are_found_by_short_name_and_by_category(control_plane: ControlPlane, namespace: str) -> None:
    documents = [manifest(kind, "a", spec) for kind, spec in SMALL.items()]
    control_plane.kubectl("create", "-n", namespace, "-f", "-", stdin=documents)
    listed = control_plane.kubectl("get", "perennial", "-n", namespace, "--no-headers", "-o", "name").stdout.split()
    assert {name.partition(".")[0] for name in listed} == {"languagemodel", "trainingjob", "deployment"}
    headers = {
        "lm": ["NAME", "SERVING", "NEWEST", "READY", "REASON", "STALLED", "AGE"],
        "tj": ["NAME", "STATE", "STEP", "MAX", "STEPS", "LOSS", "VALIDATION", "TOKENS/S", "ETA", "(S)", "AGE"],
        "lmd": ["NAME", "VERSION", "READY", "DESIRED", "AVAILABLE", "REASON", "AGE"],
    }
    for short, columns in headers.items():
        assert control_plane.kubectl("get", short, "-n", namespace).stdout.splitlines()[0].split() == columns


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda path: path.name)
def test_an_example_is_accepted(control_plane: ControlPlane, namespace: str, path: Path) -> None:
    documents = list(yaml.safe_load_all(path.read_text()))
    control_plane.kubectl("create", "--dry-run=server", "-n", namespace, "-f", "-", stdin=documents)
