"""The reference of one kind: every field of its CustomResourceDefinition, block by block."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from reference_pages.markdown import code, table

Schema = dict[str, Any]


def page(crd: Path) -> str:
    """The page of the kind that the file defines."""
    definition = yaml.safe_load(crd.read_text())["spec"]
    version = next(version for version in definition["versions"] if version["storage"])
    schema = version["schema"]["openAPIV3Schema"]
    return "\n".join([*_head(definition, version, schema), *_block("spec", schema), *_block("status", schema)])


def _head(definition: Schema, version: Schema, schema: Schema) -> Iterator[str]:
    names = definition["names"]
    yield f"# {names['kind']}\n\n{schema['description']}\n"
    api_version = f"{definition['group']}/{version['name']}"
    names_in_kubectl = [f"{names['plural']}.{definition['group']}", *names["shortNames"]]
    yield f"- API version: {code(api_version)}"
    yield f"- Name in `kubectl`: {', '.join(map(code, names_in_kubectl))}"
    yield f"- Subresources: {', '.join(map(code, version['subresources']))}\n"
    yield "Columns of `kubectl get`; those marked `-o wide` appear only there:\n"
    columns = version["additionalPrinterColumns"]
    yield table(
        ("Column", "Value"),
        [
            (f"{column['name']}{' (`-o wide`)' if column.get('priority') else ''}", code(column["jsonPath"]))
            for column in columns
        ],
    )


def _block(name: str, parent: Schema) -> Iterator[str]:
    schema = parent["properties"][name]
    yield from _section(name, schema, required=set(schema.get("required", [])), level=2)


def _section(path: str, schema: Schema, required: set[str], level: int) -> Iterator[str]:
    """The table of a block, and after it the sections of the blocks in it."""
    yield f"{'#' * level} `{path}` {{ #{_anchor(path)} }}\n\n{_sentence(schema.get('description', ''))}\n"
    yield from _rules(schema)
    fields = schema["properties"].items()
    rows = [(_name(path, name, field, name in required), _type(field), _description(field)) for name, field in fields]
    yield table(("Field", "Type", "Description"), rows)
    for name, field in fields:
        for suffix, inner in _inner(field):
            yield from _section(f"{path}.{name}{suffix}", inner, set(inner.get("required", [])), level=3)


def _inner(field: Schema) -> Iterator[tuple[str, Schema]]:
    """The block with fields of its own that a field holds, in a list or as values of a map."""
    for suffix, schema in (("", field), ("[]", field.get("items", {})), (".*", field.get("additionalProperties", {}))):
        if isinstance(schema, dict) and "properties" in schema:
            yield suffix, schema


def _rules(schema: Schema) -> Iterator[str]:
    rules = schema.get("x-kubernetes-validations", [])
    if rules:
        yield "Rules:\n"
        yield "\n".join(f"- {_sentence(rule['message'])}" for rule in rules) + "\n"


def _name(path: str, name: str, field: Schema, required: bool) -> str:
    suffix = next((suffix for suffix, _ in _inner(field)), None)
    label = code(name) if suffix is None else f"[{code(name)}](#{_anchor(f'{path}.{name}{suffix}')})"
    return label + (" *required*" if required else "")


def _type(field: Schema) -> str:
    """Type and bounds in words."""
    if field.get("x-kubernetes-int-or-string"):
        return "quantity"
    if "items" in field:
        return f"list of {_plain_type(field['items'])}{_bounds(field, 'minItems', 'maxItems', 'items')}"
    if isinstance(values := field.get("additionalProperties"), dict):
        return f"map of {_type(values)}"
    return _plain_type(field) + _range(field)


def _plain_type(field: Schema) -> str:
    if field.get("format") == "date-time":
        return "time"
    return str(field.get("type", "any"))


def _range(field: Schema) -> str:
    """Numeric bounds as an interval: `1 to 100`, `> 0`."""
    low, high = field.get("minimum"), field.get("maximum")
    above = ">" if field.get("exclusiveMinimum") else "≥"
    below = "<" if field.get("exclusiveMaximum") else "≤"
    if low is not None and high is not None and (above, below) == ("≥", "≤"):
        return f", {low:,} to {high:,}"
    bounds = [f"{above} {low:,}" if low is not None else "", f"{below} {high:,}" if high is not None else ""]
    return "".join(f", {bound}" for bound in bounds if bound)


def _bounds(field: Schema, least: str, most: str, noun: str) -> str:
    low, high = field.get(least), field.get(most)
    if low is None and high is None:
        return ""
    return f", {low or 0} to {high} {noun}" if high is not None else f", at least {low} {noun}"


def _description(field: Schema) -> str:
    parts = [_sentence(field.get("description", ""))]
    if "enum" in field:
        parts.append("One of " + ", ".join(code(str(value)) for value in field["enum"]) + ".")
    if field.get("default") not in (None, {}) and not list(_inner(field)):
        parts.append(f"Default: {code(_value(field['default']))}.")
    if not list(_inner(field)):
        parts += [_sentence(rule["message"]) for rule in field.get("x-kubernetes-validations", [])]
    return " ".join(part for part in parts if part)


def _value(default: object) -> str:
    return yaml.safe_dump(default, default_flow_style=True, width=10000).removesuffix("...\n").strip()


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text if not text or text[-1] in ".:!?" else text + "."


def _anchor(path: str) -> str:
    return path.replace("[]", "").replace(".*", "").replace(".", "-").lower()
