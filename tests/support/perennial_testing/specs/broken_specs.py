"""What the API server must refuse: an accepted spec with one constraint of its schema broken."""

from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

from perennial_testing.specs.schemas import is_exactly_one

Schema = dict[str, Any]
Value = dict[str, Any]
Path = tuple[str | int, ...]

# By the start of a CEL rule, what breaks it.
_BREAKERS: dict[str, Callable[[Value], Value]] = {
    "!has(self.revision)": lambda v: {"uri": "pvc://a/b", "revision": "main"},
    "!has(self.credentials)": lambda v: v | {"uri": "pvc://a/b", "credentials": {"secretName": "a"}},
    "self.uri.startsWith('https://') || ": lambda v: v | {"uri": "pvc://a/../b"},
    "!self.uri.startsWith('https://') || ": lambda v: v | {"uri": "https://user:password@a/b"},
    "!has(self.uri) || (self.uri": lambda v: {"uri": "pvc://a/../b"},
    "!has(self.uri) || (!self.uri": lambda v: {"uri": "https://user:password@a/b"},
    "self.warmupSteps": lambda v: v | {"maxSteps": 10, "warmupSteps": 10},
    "self.family != 'transformer' || self.hiddenSize": lambda v: (
        v | {"family": "transformer", "hiddenSize": 96, "heads": 5}
    ),
    "self.model.task != 'question-answering' || self.training": lambda v: _with(
        v | {"model": {"task": "question-answering", "architecture": {}}}, "labelSmoothing", 0.1
    ),
    "!has(self.model.architecture)": lambda v: _with(
        v | {"model": {"task": "text-generation", "architecture": {"family": "rnn"}}}, "gradientCheckpointing", True
    ),
    "self.model.task != 'text-generation'": lambda v: _judged(v, "text-generation", "f1"),
    "self.model.task != 'translation'": lambda v: _judged(v, "translation", "f1"),
    "self.model.task != 'sentiment-analysis'": lambda v: _judged(v, "sentiment-analysis", "f1"),
    "self.model.task != 'question-answering' || !has(self.evaluation)": lambda v: _judged(
        v, "question-answering", "bleu"
    ),
    "self.hyperparameters.batchSize % ": lambda v: (
        {name: inner for name, inner in v.items() if name != "compute"}
        | {"hyperparameters": {"batchSize": 16, "microBatchSize": 3}}
    ),
    "!has(self.tuning)": lambda v: _without_base(v) | {"tuning": {"lora": {}}},
    "!has(self.architecture)": lambda v: v | {"task": "translation", "architecture": {"family": "cnn"}},
    "!has(self.alias)": lambda v: {"uri": "http://mlflow", "alias": "candidate"},
    "self.minReplicas": lambda v: v | {"minReplicas": 3, "maxReplicas": 2},
    "!(has(self.replicas)": lambda v: (
        v | {"replicas": 1, "autoscaling": {"maxReplicas": 2, "metrics": [{"name": "queue-depth", "target": 1}]}}
    ),
    "self.name == 'queue-depth'": lambda v: {"name": "mine", "target": 1},
    "self.name != 'queue-depth'": lambda v: {"name": "queue-depth", "query": "x", "target": 1},
    "has(self.ipBlock)": lambda v: {"ipBlock": {}, "podSelector": {}},
    "!has(self.approve)": lambda v: v | {"policy": "Automatic", "approve": {"version": 1}},
    "self.sharding == 'None'": lambda v: v | {"nodes": 1, "gpusPerNode": 1, "sharding": "FSDP"},
    "!has(self.command) || has(self.image)": lambda v: {"command": ["train"]},
    "has(self.command) || (!has": lambda v: {"args": ["--fast"]},
    "1 >= (has(self.architecture)": lambda v: (
        v | {"pretrained": {"uri": "pvc://a/b"}, "languageModelRef": {"name": "a"}}
    ),
    "self.model.task in": lambda v: _with_model(v, task="summarisation"),
    "has(self.model.architecture)": lambda v: _with_model(v, architecture=None, pretrained=None, languageModelRef=None),
    "!(self.name in ['tmp'": lambda v: v | {"name": "claim-0"},
    "!(self.name in ['HOME'": lambda v: v | {"name": "PERENNIAL_NODES"},
    "!(has(self.value) && has": lambda v: v | {"value": "a", "valueFrom": {}},
    "!(self.mountPath in": lambda v: v | {"mountPath": "/perennial/claims/models"},
    "!has(self.volumeMounts)": lambda v: v | {"volumes": [], "volumeMounts": [{"name": "a", "mountPath": "/a"}]},
    "!has(self.labels)": lambda v: v | {"labels": {"perennial.dev/training-job": "other"}},
}


def _with(value: Value, hyperparameter: str, number: object) -> Value:
    training = value.get("training", {})
    return value | {"training": training | {"hyperparameters": {hyperparameter: number}}}


def _without_base(model: Value) -> Value:
    return {name: inner for name, inner in model.items() if name not in ("pretrained", "languageModelRef")}


def _judged(value: Value, task: str, metric: str) -> Value:
    return value | {
        "model": {"task": task, "architecture": {}},
        "evaluation": {"gates": [{"metric": metric, "max": 1}]},
    }


def _with_model(spec: Value, **more: Any) -> Value:
    """The spec with this model and without a command of its own."""
    model = {name: value for name, value in (spec["model"] | more).items() if value is not None}
    return {name: value for name, value in spec.items() if name != "training"} | {"model": model}


_WRONG_TYPES = {"object": "text", "array": {"a": 1}, "string": {"a": 1}}


def broken(schema: Schema, spec: Value) -> st.SearchStrategy[tuple[str, Value]]:
    """Strategy: what is broken and where, and the spec with it broken."""

    def one(place: tuple[Path, Schema, Any]) -> st.SearchStrategy[tuple[str, Value]]:
        path, inner, value = place
        told = ".".join(map(str, ("spec", *path)))
        ways = list(_ways(inner, value))
        return st.sampled_from([(f"{way} of {told}", replaced(spec, path, worse)) for way, worse in ways])

    return st.sampled_from([place for place in places(schema, spec) if any(_ways(*place[1:]))]).flatmap(one)


def places(schema: Schema, value: Any, path: Path = ()) -> Iterator[tuple[Path, Schema, Any]]:
    """The fields that are set in the value, with their schemas."""
    yield path, schema, value
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(schema["items"], item, (*path, index))
    elif isinstance(value, dict):
        for name, item in value.items():
            inner = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
            if inner:  # else it is free-form
                yield from places(inner, item, (*path, name))


def bounds(schema: Schema, value: Any) -> Iterator[tuple[str, Any]]:
    """By constraint a value that is just beyond it."""
    if schema.get("type") in ("integer", "number", "boolean"):
        yield "type", "text"
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
    if "maxItems" in schema and value:
        names = schema.get("x-kubernetes-list-map-keys", [])
        count = range(schema["maxItems"] + 1)
        different = [{name: f"n{i}" if name == "name" else f"/n{i}" for name in names} for i in count]
        yield "maxItems", [value[0] | key if key else value[0] for key in different]
    if "maxProperties" in schema and value:
        yield "maxProperties", {f"r{i}": next(iter(value.values())) for i in range(schema["maxProperties"] + 1)}
    for name in schema.get("required", []):
        yield f"required {name}", {key: inner for key, inner in value.items() if key != name}


def _ways(schema: Schema, value: Any) -> Iterator[tuple[str, Any]]:
    if schema.get("x-kubernetes-int-or-string"):
        yield from (("quantity", text) for text in ("abc", "", "1 Gi", "-1", "1Gib", -1, 0.5, True))
        return
    if schema["type"] in _WRONG_TYPES:
        yield "type", _WRONG_TYPES[schema["type"]]
    yield from bounds(schema, value)
    if isinstance(value, dict) and "properties" in schema and "x-kubernetes-preserve-unknown-fields" not in schema:
        yield "unknown field", value | {"unheardOf": 1}
    for rule in (validation["rule"] for validation in schema.get("x-kubernetes-validations", [])):
        if "oldSelf" in rule:
            continue
        if is_exactly_one(rule):
            names = {part.split(")")[0] for part in rule.split("(has(self.")[1:]}
            yield f"rule {rule}", {key: inner for key, inner in value.items() if key not in names}
        else:
            yield f"rule {rule}", next(worse for start, worse in _BREAKERS.items() if rule.startswith(start))(value)


def replaced(value: Any, path: Path, worse: Any) -> Any:
    """A copy with another value at this place."""
    if not path:
        return worse
    first, *rest = path
    if isinstance(value, list):
        return [replaced(item, tuple(rest), worse) if i == first else item for i, item in enumerate(value)]
    return value | {first: replaced(value[first], tuple(rest), worse)}
