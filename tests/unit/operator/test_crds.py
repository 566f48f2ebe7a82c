"""The CRDs: generated, described, bounded; and the examples are what they accept."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from perennial.api import KINDS
from perennial.api.crd import definition, files
from perennial.api.kind import Kind
from perennial_testing.specs import broken_specs, schemas

ROOT = Path(__file__).parents[3]
Schema = dict[str, Any]


def root_of(kind: type[Kind]) -> Schema:
    (version,) = definition(kind)["spec"]["versions"]
    schema: Schema = version["schema"]["openAPIV3Schema"]
    return schema


def walk(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    """Every schema below this one, by its path."""
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from walk(field, f"{path}.{name}")
    for name, inner in (("[]", "items"), ("{}", "additionalProperties")):
        if inner in schema:
            yield from walk(schema[inner], path + name)


FIELDS = {
    path: schema
    for kind in KINDS
    for part in ("spec", "status")
    for path, schema in walk(root_of(kind)["properties"][part], f"{kind.KIND}.{part}")
}


@pytest.mark.parametrize("folder", ["crds", "charts/perennial/files/crds"])
def test_the_files_are_what_the_api_generates(folder: str) -> None:
    kept = {path.name: path.read_text() for path in (ROOT / folder).glob("*.yaml")}
    assert kept == files(), "stale; run `make crds` (python -m perennial.api.crd crds charts/perennial/files/crds)"


def test_every_field_is_described() -> None:
    named = {path: schema for path, schema in FIELDS.items() if not path.endswith(("[]", "{}"))}
    assert len(named) > 150
    assert [path for path, schema in named.items() if len(schema.get("description", "")) < 10] == []


def test_every_field_with_a_physical_unit_names_it() -> None:
    units = {"learningRate": "step", "maxSteps": "steps", "contextLength": "tokens", "minCharacters": "characters"}
    for path, schema in FIELDS.items():
        if unit := units.get(path.rpartition(".")[2]):
            assert unit in schema["description"].lower(), path


def test_what_a_user_writes_is_bounded() -> None:
    """The API server estimates the cost of a CEL rule by these bounds, and objects stay within what etcd takes."""
    missing = [
        path
        for path, schema in FIELDS.items()
        if ".spec" in path and _kind_of(schema) in _BOUNDS and _BOUNDS[_kind_of(schema)] not in schema
    ]
    assert missing == []


def test_lists_of_the_status_are_bounded() -> None:
    assert [p for p, s in FIELDS.items() if _kind_of(s) == "array" and "maxItems" not in s] == []


_BOUNDS = {"array": "maxItems", "string": "maxLength", "map": "maxProperties", "number": "", "integer": "maximum"}
del _BOUNDS["number"]  # thresholds have no natural bound, and no CEL rule looks at one


def _kind_of(schema: Schema) -> str | None:
    if "enum" in schema or schema.get("x-kubernetes-int-or-string"):
        return None
    return "map" if "additionalProperties" in schema else schema["type"]


def test_every_rule_has_a_message() -> None:
    rules = [rule for schema in FIELDS.values() for rule in schema.get("x-kubernetes-validations", [])]
    assert len(rules) >= 15
    assert all(len(rule["message"]) > 10 for rule in rules)


def test_columns_speak_of_fields_that_exist() -> None:
    for kind in KINDS:
        for column in kind.COLUMNS:
            path = column.json_path.split("[")[0]
            assert path.startswith(".metadata.") or f"{kind.KIND}{path}" in FIELDS, column.json_path


# Values as long as users see them, by the path of the column.
REALISTIC = {
    ".metadata.creationTimestamp": "115d",
    ".spec.model.task": "question-answering",
    ".status.servingVersion": "12",
    ".status.lastVersion": "13",
    ".status.version": "12",
    ".status.readyReplicas": "12",
    ".status.desiredReplicas": "12",
    ".status.state": "Suspended",
    ".status.progress.step": "120000",
    ".status.progress.maxSteps": "120000",
    ".status.progress.loss": "3.04128",
    ".status.progress.validationLoss": "3.11042",
    ".status.progress.tokensPerSecond": "14021",
    ".status.progress.etaSeconds": "86399",
    "reason": "ProgressDeadlineExceeded",
    "status": "Unknown",
}
COLUMNS_OF_A_TERMINAL = 120


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.KIND)
def test_the_columns_of_kubectl_get_fit_a_terminal(kind: type[Kind]) -> None:
    """With those that `--all-namespaces` adds; kubectl puts three spaces between two columns."""
    texts = {"Namespace": "team-search", "Name": "support-answers-v12"}
    texts |= {
        column.name: REALISTIC.get(column.json_path) or REALISTIC[column.json_path.rpartition(".")[2]]
        for column in kind.COLUMNS
        if column.priority == 0
    }
    widths = [max(len(name), len(text)) for name, text in texts.items()]
    assert sum(widths) + 3 * (len(widths) - 1) <= COLUMNS_OF_A_TERMINAL


def test_conditions_have_the_bounds_of_metav1() -> None:
    for kind in KINDS:
        fields = FIELDS[f"{kind.KIND}.status.conditions[]"]["properties"]
        bounds = {name: {k: v for k, v in schema.items() if k != "description"} for name, schema in fields.items()}
        assert bounds["type"]["maxLength"] == 316
        assert re.match(bounds["type"]["pattern"], "example.org/Ready")
        assert not re.match(bounds["type"]["pattern"], "-Ready")
        assert (bounds["reason"]["minLength"], bounds["reason"]["maxLength"]) == (1, 1024)
        assert re.match(bounds["reason"]["pattern"], "InService")
        assert not re.match(bounds["reason"]["pattern"], "two words")
        assert bounds["message"] == {"type": "string", "maxLength": 32768}
        assert bounds["observedGeneration"] == {"type": "integer", "minimum": 0}
        assert set(FIELDS[f"{kind.KIND}.status.conditions[]"]["required"]) == set(fields)


def test_the_items_of_a_list_have_no_defaults() -> None:
    """They would be differences in the three-way diff of a GitOps tool; the operator fills them in."""
    assert [path for path, schema in FIELDS.items() if "[]" in path and "default" in schema] == []


def test_a_block_that_is_on_by_default_is_stored_with_its_defaults() -> None:
    defaulted = {path for path, schema in FIELDS.items() if "default" in schema and "properties" in schema}
    assert {"LanguageModel.spec.training", "LanguageModel.spec.deployment", "Deployment.spec.runtime"} <= defaulted
    assert not {"LanguageModel.spec.training.earlyStopping", "Deployment.spec.autoscaling"} & defaulted  # off


def test_every_list_says_how_it_is_merged() -> None:
    lists = {path: schema for path, schema in FIELDS.items() if schema.get("type") == "array"}
    assert {schema.get("x-kubernetes-list-type") for schema in lists.values()} == {"atomic", "map"}


def test_a_crd_is_small() -> None:
    """Far below what `kubectl apply` keeps in its annotation (256 KiB)."""
    assert {name: len(text) for name, text in files().items() if len(text) > 128 * 1024} == {}


def examples() -> list[Any]:
    documents = (
        pytest.param(document, id=f"{path.relative_to(ROOT)}: {document['kind']}")
        for path in sorted((ROOT / "examples").rglob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text())
        if document and document.get("apiVersion", "").startswith("perennial.dev/")
    )
    return list(documents)


@pytest.mark.parametrize("document", examples())
def test_example(document: dict[str, Any]) -> None:
    (kind,) = (kind for kind in KINDS if document["kind"] == kind.KIND)
    at = {"namespace": "demo", "uid": "x"} | document["metadata"]
    kind.model_validate(document | {"metadata": at})
    assert list(_unknown(root_of(kind)["properties"]["spec"], document["spec"], "spec")) == []


def _unknown(schema: Schema, value: Any, path: str) -> Iterator[str]:
    """Fields that the API server would refuse or prune."""
    if isinstance(value, list):
        for item in value:
            yield from _unknown(schema["items"], item, path + "[]")
    elif isinstance(value, dict) and "properties" in schema:
        for name, field in value.items():
            if name not in schema["properties"]:
                yield f"{path}.{name}"
            else:
                yield from _unknown(schema["properties"][name], field, f"{path}.{name}")


@pytest.mark.parametrize("table", [broken_specs._BREAKERS, schemas._REPAIRS], ids=["breakers", "repairs"])
def test_every_rule_has_its_own_breaker_and_repair_for_generated_specs(table: dict[str, Any]) -> None:
    """They are found by the start of a rule: none may be left over when a rule changes, or hide a longer one."""
    texts = {rule["rule"] for schema in FIELDS.values() for rule in schema.get("x-kubernetes-validations", [])}
    rules = {text for text in texts if "oldSelf" not in text and not schemas.is_exactly_one(text)}
    used = set()
    for rule in rules:
        matches = [start for start in table if rule.startswith(start)]
        assert matches, rule
        assert matches[0] == max(matches, key=len), rule
        used.add(matches[0])
    assert set(table) - used == set()


def test_an_older_operator_reads_the_status_of_a_newer_one() -> None:
    """No field of a status has a closed list of values, but the status of a condition, which Kubernetes closes."""
    closed = {path for path, schema in FIELDS.items() if ".status." in path and "enum" in schema}
    assert closed == {f"{kind.KIND}.status.conditions[].status" for kind in KINDS}
