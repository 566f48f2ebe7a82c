"""What a user writes and what a training reads have the same types, defaults and bounds, field by field.

Compared are the generated files: the CRDs of the API and the JSON Schema of job.json.
"""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
Schema = dict[str, Any]
BOUNDS = (
    "type", "enum", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "minProperties",
    "maxProperties",
)  # fmt: skip
# What stands elsewhere in the API, or what the operator finds out.
JOB_ONLY = {
    "schema", "job", "job.namespace", "job.name", "job.uid", "job.fingerprint",
    "task",  # model.task
    "model.pretrained.contextLength", "model.pretrained.digest",  # known once a languageModelRef is resolved
    "training.parameters", "training.parameters{}",  # training.runtime.parameters
}  # fmt: skip
VERSIONS = {"compareWith", "output"}  # blocks of a TrainingJob only: a LanguageModel makes them from its versions
# Required in a job: what evaluateEverySteps defaults to follows from another field.
WITHOUT_DEFAULT = {"training"}


def job_schema() -> Schema:
    schema: Schema = json.loads((ROOT / "contract/perennial_contract/schemas/job.schema.json").read_text())
    return plain(schema, schema["$defs"])


def plain(schema: Schema, blocks: Schema) -> Schema:
    """A JSON Schema without references and nulls, with exclusive bounds as OpenAPI 3.0 has them."""
    if "anyOf" in schema:
        (inner,) = (branch for branch in schema["anyOf"] if branch != {"type": "null"})
        return plain(inner | {name: value for name, value in schema.items() if name != "anyOf"}, blocks)
    if "$ref" in schema:
        block = blocks[schema["$ref"].rpartition("/")[2]]
        return plain(block | {name: value for name, value in schema.items() if name != "$ref"}, blocks)
    found = dict(schema)
    for bound in ("minimum", "maximum"):
        exclusive = f"exclusive{bound.capitalize()}"
        if exclusive in schema:
            found |= {bound: schema[exclusive], exclusive: True}
    for part in ("items", "additionalProperties"):
        if isinstance(schema.get(part), dict):
            found[part] = plain(schema[part], blocks)
    if "properties" in schema:
        found["properties"] = {name: plain(field, blocks) for name, field in schema["properties"].items()}
    return found


def api_schema(plural: str) -> Schema:
    definition = yaml.safe_load((ROOT / f"crds/{plural}.yaml").read_text())
    (version,) = definition["spec"]["versions"]
    spec: Schema = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return spec


def walk(schema: Schema, path: str = "", in_list: bool = False) -> Iterator[tuple[str, Schema]]:
    """Path, and type, bounds and default of each field; without defaults in lists, where a CRD must have none."""
    exclusive = {name: True for name in ("exclusiveMinimum", "exclusiveMaximum") if schema.get(name)}
    default = None if in_list else complete(schema.get("default"), schema)
    if path:
        yield path, {name: schema[name] for name in BOUNDS if name in schema} | exclusive | {"default": default}
    for name, field in schema.get("properties", {}).items():
        yield from walk(field, f"{path}.{name}".lstrip("."), in_list)
    if "items" in schema:
        yield from walk(schema["items"], f"{path}[]", True)
    if isinstance(schema.get("additionalProperties"), dict):
        yield from walk(schema["additionalProperties"], f"{path}{{}}", in_list)


def complete(default: Any, schema: Schema) -> Any:
    """A default with those of the fields inside, as the API server fills them in; without nulls."""
    if not isinstance(default, dict):
        return default
    fields = schema.get("properties", {})
    inner = {name: complete(default.get(name, field.get("default")), field) for name, field in fields.items()}
    return {name: value for name, value in inner.items() if value not in (None, [])}


def shared(default: Any, other: Any) -> Any:
    """The part of a default that the other one speaks of, too."""
    if not isinstance(default, dict) or not isinstance(other, dict):
        return default
    return {name: shared(value, other[name]) for name, value in default.items() if name in other}


def differences(api: Schema, job: Schema) -> dict[str, tuple[Schema, Schema]]:
    """By path what API and job say of a field, where they do not say the same."""
    found = {}
    fields = dict(walk(api))
    for path, of_job in walk(job):
        if (of_api := fields.get(path)) is None:
            continue
        default = None if path in WITHOUT_DEFAULT else shared(of_api["default"], of_job["default"])
        if of_api | {"default": default} != of_job:
            found[path] = (of_api, of_job)
    return found


@pytest.mark.parametrize("plural", ["languagemodels", "trainingjobs"])
def test_every_default_and_bound_is_said_once(plural):
    assert differences(api_schema(plural), job_schema()) == {}


@pytest.mark.parametrize(("plural", "absent"), [("languagemodels", VERSIONS), ("trainingjobs", set())])
def test_every_field_of_a_job_is_one_of_the_api(plural, absent):
    """So that the test above compares them all."""
    fields = {path for path, _ in walk(api_schema(plural))}
    missing = {path for path, _ in walk(job_schema())} - fields
    assert {path for path in missing if path.partition(".")[0] not in absent} == JOB_ONLY


@pytest.mark.parametrize(
    ("path", "fact", "value"),
    [
        ("data.preprocessing.normalizeUnicode", "default", "NFKC"),
        ("data.preprocessing.minCharacters", "default", 20),
        ("training.hyperparameters.weightDecay", "default", 0.0),
        ("model.architecture.heads", "maximum", 1024),
        ("model.architecture.vocabularySize", "minimum", 260),
        ("model.architecture.dropout", "exclusiveMaximum", False),
        ("model.pretrained.revision", "maxLength", 255),
        ("training.hyperparameters.maxSteps", "maximum", 10**9),
        ("data.train", "maxItems", 1000),
        ("data.train[].uri", "pattern", "^.*$"),
        ("data.preprocessing.normalizeUnicode", "enum", ["NFC", "NFD", "NFKC", "NFKD", "None"]),
    ],
)
def test_a_second_default_or_bound_would_be_found(path, fact, value):
    doctored = copy.deepcopy(job_schema())
    at(doctored, path)[fact] = value
    assert path in differences(api_schema("trainingjobs"), doctored)


def at(schema: Schema, path: str) -> Schema:
    for name in path.split("."):
        schema = schema["properties"][name.removesuffix("[]")]
        schema = schema["items"] if name.endswith("[]") else schema
    return schema
