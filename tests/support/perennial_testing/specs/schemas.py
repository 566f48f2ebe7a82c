"""Hypothesis strategies for what the API server lets pass: from the schemas and the CEL rules of the CRDs."""

import functools
import string
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from perennial.api.crd import definition
from perennial.api.kind import Kind

Schema = dict[str, Any]
Value = dict[str, Any]

_QUANTITIES = st.sampled_from(["1", "500m", "2Gi", 1, "0.5"])
# By the start of a rule that is not "exactly one of", what makes a drawn value keep it.
_REPAIRS: dict[str, Callable[[Value], Value]] = {
    "!has(self.revision) || self.uri.startsWith('hf://')": lambda v: _without(v, "revision"),
    "self.uri.startsWith('https://') || ": lambda v: _in_root(v),
    "!self.uri.startsWith('https://') || ": lambda v: _with_host(v),
    "!has(self.uri) || (self.uri": lambda v: _in_root(v),
    "!has(self.uri) || (!self.uri": lambda v: _with_host(v),
    "self.warmupSteps < self.maxSteps": lambda v: _without(v, "warmupSteps"),
    "self.family != 'transformer' || self.hiddenSize": lambda v: _without(v, "heads") | {"hiddenSize": 64},
    "self.hyperparameters.batchSize % ": lambda v: _shared(v),
    "!has(self.tuning)": lambda v: v if v.keys() & {"pretrained", "languageModelRef"} else _without(v, "tuning"),
    "!has(self.architecture)": lambda v: v | {"task": "sentiment-analysis"} if "architecture" in v else v,
    "self.model.task != 'question-answering' || self.training": lambda v: _plain(v, "labelSmoothing"),
    "!has(self.model.architecture)": lambda v: _plain(v, "gradientCheckpointing"),
    "self.model.task != ": lambda v: _without(v, "evaluation"),
    "!has(self.alias)": lambda v: _without(v, "alias"),
    "self.minReplicas <= self.maxReplicas": lambda v: _without(v, "minReplicas"),
    "!(has(self.replicas) && has(self.autoscaling))": lambda v: _without(v, "replicas"),
    "self.name == 'queue-depth' || has(self.query)": lambda v: {"query": "x"} | v,
    "self.name != 'queue-depth' || !has(self.query)": lambda v: (
        _without(v, "query") if v["name"] == "queue-depth" else v
    ),
    "self.sharding == 'None'": lambda v: _without(v, "sharding"),
    "!has(self.command) || has(self.image)": lambda v: {"image": "x"} | v,
    "has(self.command) || (!has": lambda v: v if "command" in v else _without(v, "args", "parameters"),
    "1 >= (has(self.architecture)": lambda v: _with_one_of(v, "architecture", "pretrained", "languageModelRef"),
    "self.model.task in": lambda v: v if _has_command(v) else v | {"model": v["model"] | {"task": "text-generation"}},
    "has(self.model.architecture)": lambda v: v if _is_given(v) else v | {"model": v["model"] | {"architecture": {}}},
    "!(self.name in ['tmp'": lambda v: v | {"name": f"my{v['name']}"[:63].rstrip("-")},
    "!(self.name in ['HOME'": lambda v: v | {"name": f"my{v['name']}"[:253]},
    "!(has(self.value) && has": lambda v: _without(v, "value"),
    "!(self.mountPath in": lambda v: v | {"mountPath": "/data"},
    "!has(self.volumeMounts)": lambda v: _without(v, "volumeMounts"),
    "!has(self.labels)": lambda v: v,
    "!has(self.credentials)": lambda v: _without(v, "credentials"),
    "has(self.ipBlock)": lambda v: {"podSelector": {}} | _without(v, "ipBlock"),
    "!has(self.approve)": lambda v: v | {"policy": "Manual"} if "approve" in v else v,
}
_TRANSITIONS = "oldSelf"
_EXACTLY_ONE = "(has(self."


def is_exactly_one(rule: str) -> bool:
    """Whether it is what perennial_contract.job.block.exactly_one makes."""
    return rule.startswith(_EXACTLY_ONE) and rule.endswith(" == 1")


@functools.cache  # making a strategy of hundreds of fields takes longer than an example of it
def specs(kind: type[Kind]) -> st.SearchStrategy[Value]:
    """Specs of a kind that its CRD accepts."""
    (version,) = definition(kind)["spec"]["versions"]
    return values(version["schema"]["openAPIV3Schema"]["properties"]["spec"])


def values(schema: Schema) -> st.SearchStrategy[Any]:
    """Values that a structural schema accepts."""
    if schema.get("x-kubernetes-int-or-string"):
        return _QUANTITIES
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema["type"]:
        case "object":
            return _objects(schema)
        case "array":
            return _arrays(schema)
        case "string":
            return _strings(schema)
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(schema.get("minimum", -(2**31)), schema.get("maximum", 2**31))
    return st.floats(
        schema.get("minimum", -1e6),
        schema.get("maximum", 1e6),
        exclude_min=schema.get("exclusiveMinimum", False),
        exclude_max=schema.get("exclusiveMaximum", False),
        allow_nan=False,
    )


def _has_command(spec: Value) -> bool:
    return "command" in spec.get("training", {}).get("runtime", {})


def _is_given(spec: Value) -> bool:
    return _has_command(spec) or bool(spec["model"].keys() & {"architecture", "pretrained", "languageModelRef"})


def _objects(schema: Schema) -> st.SearchStrategy[Value]:
    if "properties" not in schema and "additionalProperties" not in schema:  # free-form
        return st.just({"some": {"thing": ["else"]}})
    if "properties" not in schema:
        keys = st.text(string.ascii_lowercase, min_size=1, max_size=8)
        return st.dictionaries(keys, values(schema["additionalProperties"]), max_size=3)
    fields = {name: values(field) for name, field in schema["properties"].items()}
    required = set(schema.get("required", []))
    drawn = st.fixed_dictionaries(
        {name: field for name, field in fields.items() if name in required},
        optional={name: field for name, field in fields.items() if name not in required},
    )
    for rule in schema.get("x-kubernetes-validations", []):
        drawn = _keeping(rule["rule"], fields, drawn)
    return drawn


def _keeping(rule: str, fields: dict[str, st.SearchStrategy[Any]], drawn: st.SearchStrategy[Value]) -> Any:
    if _TRANSITIONS in rule:
        return drawn
    if not is_exactly_one(rule):
        return drawn.map(next(repair for start, repair in _REPAIRS.items() if rule.startswith(start)))
    names = [part.split(")")[0] for part in rule.split(_EXACTLY_ONE)[1:]]
    one = st.one_of([st.tuples(st.just(name), fields[name]) for name in names])
    return st.tuples(drawn, one).map(lambda pair: _without(pair[0], *names) | dict([pair[1]]))


def _arrays(schema: Schema) -> st.SearchStrategy[list[Any]]:
    keys = schema.get("x-kubernetes-list-map-keys")
    least = schema.get("minItems", 0)
    items = values(schema["items"])
    if not keys:
        return st.lists(items, min_size=least, max_size=max(least, 3))
    return st.lists(items, min_size=least, max_size=max(least, 3), unique_by=lambda item: tuple(item[k] for k in keys))


def _strings(schema: Schema) -> st.SearchStrategy[str]:
    longest = schema.get("maxLength", 64)
    if pattern := schema.get("pattern"):
        # \S of RE2 is ASCII's, and so is what is drawn.
        return st.from_regex(pattern, fullmatch=True, alphabet=st.characters(codec="ascii")).filter(
            lambda text: len(text) <= longest and "\n" not in text
        )
    return st.text(min_size=schema.get("minLength", 0), max_size=min(longest, 64))


def _in_root(value: Value) -> Value:
    """With a URI, if it has one, that has no ".."."""
    return value | {"uri": value["uri"].replace("..", "a")} if "uri" in value else value


def _with_host(value: Value) -> Value:
    """With a plain host in its URI, if it has one of https."""
    return value | {"uri": "https://a/b"} if value.get("uri", "").startswith("https://") else value


def _shared(training: Value) -> Value:
    """With a batch that has a whole share for each process."""
    compute = _without(training.get("compute", {}), "nodes", "gpusPerNode", "sharding")
    parameters = _without(training.get("hyperparameters", {}), "microBatchSize")
    return training | {"compute": compute, "hyperparameters": parameters}


def _plain(value: Value, name: str) -> Value:
    """Without one of the hyperparameters."""
    training = value.get("training", {})
    if name not in training.get("hyperparameters", {}):
        return value
    return value | {"training": training | {"hyperparameters": _without(training["hyperparameters"], name)}}


def _with_one_of(value: Value, *names: str) -> Value:
    """With the first of these that it has."""
    given = [name for name in names if name in value]
    return _without(value, *given[1:])


def _without(value: Value, *names: str) -> Value:
    return {name: field for name, field in value.items() if name not in names}
