"""The JSON Schemas of what programs in the pods read and write, as files to download and on one page."""

import json

from pydantic import BaseModel

from perennial.api.training_job import Result
from perennial_contract.job.job import Job

_FOLDER = "reference/schemas"
# By name of the file: title, what it describes, the class that operator and pods use.
SCHEMAS: dict[str, tuple[str, str, type[BaseModel]]] = {
    "job": ("Job", "Configuration of a training: `/etc/perennial/job.json`.", Job),
    "result": (
        "Result",
        'Result of a training: the termination message, beside `"perennial": "result"` and `"schema": 1`.',
        Result,
    ),
}


def pages() -> dict[str, str]:
    """The page, and each schema as a file."""
    files = {f"{_FOLDER}/{name}.schema.json": _text(model) for name, (_, _, model) in SCHEMAS.items()}
    return files | {"reference/schemas.md": _page()}


def _page() -> str:
    intro = (
        "# JSON Schemas\n\nFor programs that [train under Perennial](../guides/runtimes.md) in another language. "
        "Ignore unknown fields: a later version may add some.\n"
    )
    return "\n".join([intro, *(_section(name, *schema) for name, schema in SCHEMAS.items())])


def _section(name: str, title: str, about: str, model: type[BaseModel]) -> str:
    file = f"{name}.schema.json"
    return f"## {title}\n\n{about} Download: [{file}](schemas/{file}).\n\n```json\n{_text(model)}```\n"


def _text(model: type[BaseModel]) -> str:
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | model.model_json_schema(by_alias=True)
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
