"""Schemas of the API: the base model, and extensions of OpenAPI: CEL rules, list maps, immutable fields."""

from typing import Any

from pydantic import Field

from perennial_contract.job.block import Block


class ApiModel(Block):
    """Base of the API types that job.json does not share."""


Immutable = Field(
    json_schema_extra={
        "x-kubernetes-validations": [
            {"rule": "self == oldSelf", "message": "is immutable; create another TrainingJob instead"}
        ]
    }
)


def own_block(discriminator: str, *members: str) -> tuple[tuple[str, str], ...]:
    """CEL rules of a union whose members each have a block of their name: only that of the chosen member is set."""
    if len(members) == 1:
        return ()  # nothing else can be chosen
    return tuple(
        (
            f"!has(self.{name}) || self.{discriminator} == '{name}'",
            f"`{name}` must only be set if `{discriminator}` is '{name}'",
        )
        for name in members
    )


def list_map(*keys: str) -> dict[str, Any]:
    """Marks a list as a map by these keys, so that server-side apply merges it by item."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}
