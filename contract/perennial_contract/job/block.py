"""The base of every block that the API and job.json share, and the CEL rules that stand beside a block."""

from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue
from pydantic.alias_generators import to_camel


class Block(BaseModel):
    """Base of all typed documents: camelCase on the wire, immutable in memory.

    Unknown fields are ignored, because an older program must be able to read what a newer one wrote; the API server
    has pruned or rejected them, and a training checks job.json for them once (perennial_training.config).
    """

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore", allow_inf_nan=False
    )

    def to_wire(self) -> dict[str, Any]:
        """The document in camelCase without nulls and without empty maps.

        An entry that a server-side apply removes from a map becomes a null, which the API server rejects.
        """
        return _without_empty_maps(self.model_dump(by_alias=True, exclude_none=True, mode="json"))

    def document(self) -> dict[str, Any]:
        """The document in camelCase, with every default and with nulls."""
        return self.model_dump(by_alias=True, mode="json")


def _without_empty_maps(wire: dict[str, Any]) -> dict[str, Any]:
    slim = {key: _without_empty_maps(value) if isinstance(value, dict) else value for key, value in wire.items()}
    return {key: value for key, value in slim.items() if value != {}}


def cel(*rules: tuple[str, str], **extra: Any) -> ConfigDict:
    """A model_config with CEL rules, each a pair of expression and message (KEP-2876)."""
    validations: list[JsonValue] = [{"rule": rule, "message": message} for rule, message in rules]
    # The API server drops empty lists; re-applying one would look like a change.
    return ConfigDict(json_schema_extra=({"x-kubernetes-validations": validations} if rules else {}) | extra)


def exactly_one(*names: str) -> tuple[str, str]:
    """The CEL rule that exactly one of the fields is set."""
    count = " + ".join(f"(has(self.{name}) ? 1 : 0)" for name in names)
    return f"{count} == 1", f"exactly one of {', '.join(f'`{name}`' for name in names)} must be set"
