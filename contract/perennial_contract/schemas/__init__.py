"""The JSON Schemas of job.json, result and manifest, for programs in other languages: `*.schema.json` in this folder.

They are generated from the classes by `python -m perennial_contract.schemas FOLDER`.
"""

import json
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from perennial_contract.facts import Manifest
from perennial_contract.job import Job
from perennial_contract.result import ResultMessage

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _WithoutTitles(GenerateJsonSchema):
    """Pydantic would give each field its name again as a title."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


@dataclass(frozen=True)
class Published:
    """A document that programs outside of Perennial read or write: its class, and what it is in a sentence."""

    title: str
    about: str
    model: type[BaseModel]

    def text(self) -> str:
        """The JSON Schema of the document."""
        schema = {"$schema": _DIALECT} | self.model.model_json_schema(by_alias=True, schema_generator=_WithoutTitles)
        return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


PUBLISHED = {
    "job": Published("Job", "Configuration of a training: `/etc/perennial/job.json`.", Job),
    "result": Published("Result", "Result of a training: the termination message, at most 4,096 bytes.", ResultMessage),
    "manifest": Published("Manifest", "Manifest of an artifact: `perennial.json` in its folder.", Manifest),
}


def files() -> dict[str, str]:
    """File name and content of each schema."""
    return {f"{name}.schema.json": document.text() for name, document in PUBLISHED.items()}
