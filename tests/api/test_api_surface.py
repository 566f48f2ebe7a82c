"""What a user sees of the API through kubectl: strictness, explanations, defaults, columns, scale."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

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
    assert "Optimiser steps" in told
    told = control_plane.kubectl("explain", "lm.spec.training.hyperparameters.schedule").stdout
    assert all(word in told for word in ("constant", "linear", "cosine"))


def test_defaults_are_filled_in_where_a_block_is_given(control_plane: ControlPlane, namespace: str) -> None:
    control_plane.kubectl(
        "create", "-n", namespace, "-f", "-", stdin=manifest("LanguageModel", "a", SMALL["LanguageModel"])
    )
    stored = control_plane.get("lm", "a", "-n", namespace)["spec"]
    assert stored["model"]["architecture"] == {
        "family": "transformer", "tokenizer": "bpe", "layers": 4, "hiddenSize": 128, "heads": 4, "contextLength": 128,
        "vocabularySize": 2048, "dropout": 0.1,
    }  # fmt: skip
    assert set(stored) == set(SMALL["LanguageModel"])


def test_a_deployment_is_scaled_by_its_subresource(control_plane: ControlPlane, namespace: str) -> None:
    control_plane.kubectl("create", "-n", namespace, "-f", "-", stdin=manifest("Deployment", "a", SMALL["Deployment"]))
    control_plane.kubectl("scale", "lmd/a", "-n", namespace, "--replicas=3")
    assert control_plane.get("lmd", "a", "-n", namespace)["spec"]["replicas"] == 3


def test_scaling_by_hand_and_by_load_exclude_each_other(control_plane: ControlPlane, namespace: str) -> None:
    autoscaling = {"maxReplicas": 2, "metrics": [{"name": "queue-depth", "target": 1}]}
    document = manifest("Deployment", "a", SMALL["Deployment"] | {"autoscaling": autoscaling})
    control_plane.kubectl("create", "-n", namespace, "-f", "-", stdin=document)
    refused = control_plane.kubectl("scale", "lmd/a", "-n", namespace, "--replicas=3", check=False)
    assert "replicas and autoscaling exclude each other" in refused.stderr


def test_the_kinds_are_found_by_short_name_and_by_category(control_plane: ControlPlane, namespace: str) -> None:
    documents = [manifest(kind, "a", spec) for kind, spec in SMALL.items()]
    control_plane.kubectl("create", "-n", namespace, "-f", "-", stdin=documents)
    listed = control_plane.kubectl("get", "perennial", "-n", namespace, "--no-headers", "-o", "name").stdout.split()
    assert {name.partition(".")[0] for name in listed} == {"languagemodel", "trainingjob", "deployment"}
    headers = {
        "lm": ["NAME", "TASK", "SERVING", "NEWEST", "READY", "REASON", "AGE"],
        "tj": ["NAME", "STATE", "STEP", "OF", "LOSS", "VALIDATION", "TOKENS/S", "ETA", "(S)", "AGE"],
        "lmd": ["NAME", "VERSION", "READY", "DESIRED", "AVAILABLE", "URL", "AGE"],
    }
    for short, columns in headers.items():
        assert control_plane.kubectl("get", short, "-n", namespace).stdout.splitlines()[0].split() == columns


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda path: path.name)
def test_an_example_is_accepted(control_plane: ControlPlane, namespace: str, path: Path) -> None:
    documents = list(yaml.safe_load_all(path.read_text()))
    control_plane.kubectl("create", "--dry-run=server", "-n", namespace, "-f", "-", stdin=documents)
