"""Generates crds/ from the typed API: `python -m perennial.api.crd FOLDER...`.

pydantic speaks JSON Schema 2020-12; a CustomResourceDefinition wants a structural OpenAPI v3.0 schema:
no $ref, no null, and bounds that are exclusive by a flag.
"""

import sys
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from perennial.api import GROUP, KINDS, VERSION
from perennial.api.kind import Kind
from perennial.api.status import UNOBSERVED

_KEPT = {
    "type", "format", "enum", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems",
    "minProperties", "maxProperties", "description", "default", "required",
}  # fmt: skip

Schema = dict[str, Any]
# An absent list and an empty one mean the same; the API server stores neither.
_NO_DEFAULT: tuple[Any, ...] = (None, [])
RULES = "x-kubernetes-validations"
_RESOURCES = "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
# The texts of every built-in kind, by which users know these fields.
_API_VERSION = (
    "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized "
    f"schemas to the latest internal value, and may reject unrecognized values. More info: {_RESOURCES}#resources"
)
_KIND = (
    "Kind is a string value representing the REST resource this object represents. Servers may infer this from the "
    f"endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: {_RESOURCES}#types-kinds"
)


def structural(model: type[BaseModel], defaults: bool) -> Schema:
    """The structural schema of a model; with the defaults that the API server fills in, or without."""
    schema = model.model_json_schema(by_alias=True)
    return _convert(schema, schema.get("$defs", {}), defaults)


def _convert(schema: Schema, definitions: Schema, defaults: bool) -> Schema:
    schema = _flatten(schema, definitions)
    if schema.get("x-kubernetes-int-or-string"):
        return {key: schema[key] for key in ("x-kubernetes-int-or-string", "pattern", "minimum") if key in schema}
    result = {key: value for key, value in schema.items() if key in _KEPT or key.startswith("x-kubernetes-")}
    for bound in ("Minimum", "Maximum"):
        if (value := schema.get(f"exclusive{bound}")) is not None:
            result |= {bound.lower(): value, f"exclusive{bound}": True}
    if "const" in schema:
        result["enum"] = [schema["const"]]
    if "description" in result:
        result["description"] = _sentence(result["description"])
    if not defaults or result.get("default") in _NO_DEFAULT:
        result.pop("default", None)
    else:
        result["default"] = _own(result["default"], schema, definitions)
    if "items" in schema:
        # A default inside an item would show up as a difference in a three-way diff of the list.
        result["items"] = _convert(schema["items"], definitions, defaults=False)
        result.setdefault("x-kubernetes-list-type", "atomic")
    if isinstance(schema.get("additionalProperties"), dict):
        result["additionalProperties"] = _convert(schema["additionalProperties"], definitions, defaults)
    if "properties" in schema:
        result["properties"] = {
            name: _convert(value, definitions, defaults) for name, value in schema["properties"].items()
        }
    return result


def _sentence(docstring: str) -> str:
    """Description for users: the first paragraph of a docstring, on one line. The others are for developers."""
    return " ".join(docstring.strip().split("\n\n")[0].split())


def _own(default: Any, schema: Schema, definitions: Schema) -> Any:
    """A default without what the fields inside the block default to by themselves: mostly `{}`.

    In full for a block with rules, which the API server evaluates on the default as it stands in the schema.
    """
    if not isinstance(default, dict):
        return default
    fields = {name: _flatten(field, definitions) for name, field in schema["properties"].items()}
    inherited = {} if RULES in schema else {name: field.get("default") for name, field in fields.items()}
    return {
        name: _own(value, fields[name], definitions)
        for name, value in default.items()
        if value not in _NO_DEFAULT and value != inherited.get(name)
    }


def _flatten(schema: Schema, definitions: Schema) -> Schema:
    """Without $ref and without `or null`; what stands beside a $ref adds to what it refers to."""
    beside = dict(schema)
    if "$ref" in beside:
        inner = definitions[beside.pop("$ref").rpartition("/")[2]]
    elif "anyOf" in beside and not beside.get("x-kubernetes-int-or-string"):
        (inner,) = (branch for branch in beside.pop("anyOf") if branch.get("type") != "null")
    else:
        return beside
    inner = _flatten(inner, definitions)
    merged = inner | beside
    if inner.get(RULES) and beside.get(RULES):
        merged[RULES] = inner[RULES] + beside[RULES]
    return merged


def _part(kind: type[Kind], name: str) -> type[BaseModel]:
    part = kind.model_fields[name].annotation
    assert isinstance(part, type)
    return part


def _name(kind: type[Kind]) -> Schema:
    """A name that fits the Services and pods that are named after it."""
    return {"type": "string", "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$", "maxLength": kind.LONGEST_NAME}


def definition(kind: type[Kind]) -> Schema:
    """The CustomResourceDefinition of a kind."""
    names = {
        "kind": kind.KIND, "plural": kind.PLURAL, "singular": kind.KIND.lower(), "listKind": f"{kind.KIND}List",
        "shortNames": list(kind.SHORT_NAMES), "categories": ["perennial"],
    }  # fmt: skip
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": [
            column.model_dump(by_alias=True, exclude_defaults=True) for column in kind.COLUMNS
        ],
        "subresources": {"status": {}} | ({"scale": kind.SCALE} if kind.SCALE else {}),
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "description": _sentence(kind.__doc__ or ""),
                "required": ["spec"],
                "properties": {
                    "apiVersion": {"type": "string", "description": _API_VERSION},
                    "kind": {"type": "string", "description": _KIND},
                    "metadata": {"type": "object", "properties": {"name": _name(kind)}},
                    "spec": structural(_part(kind, "spec"), defaults=True),
                    "status": structural(_part(kind, "status"), defaults=False) | {"default": UNOBSERVED},
                },
            }
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.PLURAL}.{GROUP}"},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
    }


def files() -> dict[str, str]:
    """File name and content of each CustomResourceDefinition."""
    header = "# Generated from operator/perennial/api by `make crds`; do not edit.\n"
    return {
        f"{kind.PLURAL}.yaml": header + yaml.safe_dump(definition(kind), sort_keys=False, width=110) for kind in KINDS
    }


def main(folders: list[str]) -> None:
    for folder in map(Path, folders):
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files().items():
            (folder / name).write_text(content)


if __name__ == "__main__":
    main(sys.argv[1:] or ["crds"])
