"""What the three kinds share: the base model, value types, conditions and decisions."""

import re
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from perennial_contract.job.block import Block, cel, exactly_one
from perennial_contract.job.storage import (
    BUCKET_CREDENTIALS,
    PART,
    ArtifactUri,
    Credentials,
    Digest,
    ObjectName,
    StorageUri,
)
from perennial_contract.tasks import METRICS

__all__ = [
    "BUCKET_CREDENTIALS",
    "PART",
    "ArtifactUri",
    "Credentials",
    "Digest",
    "ObjectName",
    "StorageUri",
    "cel",
    "exactly_one",
]


class ApiModel(Block):
    """Base of the API types that job.json does not share."""


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


DURATION_PATTERN = r"^([0-9]{1,5}(h|m|s))+$"
_SECONDS = {"h": 3600, "m": 60, "s": 1}

Duration = Annotated[str, Field(pattern=DURATION_PATTERN, max_length=32)]
# As above, and at least a second.
PositiveDuration = Annotated[
    str, Field(pattern=r"^([0-9]{1,5}(h|m|s))*[1-9][0-9]{0,4}(h|m|s)([0-9]{1,5}(h|m|s))*$", max_length=32)
]
# What Kubernetes parses, but nothing negative; bounded, as its own pattern lets pass numbers that no pod can have.
_QUANTITY = r"^([0-9]{1,18}(\.[0-9]{0,9})?|\.[0-9]{1,9})([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,2})?$"
Quantity = Annotated[
    int | str, Field(json_schema_extra={"x-kubernetes-int-or-string": True, "pattern": _QUANTITY, "minimum": 0})
]
Query = Annotated[str, Field(min_length=1, max_length=2048)]
Image = Annotated[str, Field(min_length=1, max_length=512)]
Immutable = Field(
    json_schema_extra={
        "x-kubernetes-validations": [
            {"rule": "self == oldSelf", "message": "is immutable; create another TrainingJob instead"}
        ]
    }
)


def seconds(duration: str) -> int:
    """Seconds in a duration such as "1h30m"."""
    return sum(int(number) * _SECONDS[unit] for number, unit in re.findall(r"([0-9]+)([hms])", duration))


MetricName = Annotated[str, Field(json_schema_extra={"enum": [*METRICS]})]


class Resources(ApiModel):
    """Compute resources of a container, as in a Pod."""

    requests: Annotated[dict[str, Quantity], Field(max_length=16)] | None = Field(
        None, description="What is reserved, by resource name: cpu in cores, memory in bytes (Quantity)."
    )
    limits: Annotated[dict[str, Quantity], Field(max_length=16)] | None = Field(
        None, description="What is never exceeded, by resource name: cpu in cores, memory in bytes (Quantity)."
    )


_DNS_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_CONDITION_TYPE = rf"^({_DNS_LABEL}(\.{_DNS_LABEL})*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
CONDITION_REASON = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"
LONGEST_CONDITION_MESSAGE = 32768


class Condition(ApiModel):
    """Condition with the schema of metav1.Condition (KEP-1623)."""

    # The bounds are the API server's alone: an older operator must read what a newer one wrote.
    type: str = Field(
        description="Type of the condition, in CamelCase.",
        json_schema_extra={"pattern": _CONDITION_TYPE, "maxLength": 316},
    )
    status: str = Field(
        description="Status of the condition: True, False or Unknown.",
        json_schema_extra={"enum": ["True", "False", "Unknown"]},
    )
    observed_generation: int = Field(
        description="Generation of the object that the condition was computed from.", json_schema_extra={"minimum": 0}
    )
    last_transition_time: datetime = Field(description="When the status of the condition last changed.")
    reason: str = Field(
        description="Reason of the last transition, in CamelCase.",
        json_schema_extra={"pattern": CONDITION_REASON, "minLength": 1, "maxLength": 1024},
    )
    message: str = Field(
        description="Details for a person, with what to do about them.",
        json_schema_extra={"maxLength": LONGEST_CONDITION_MESSAGE},
    )


class Decision(ApiModel):
    """A decision of the operator, and its grounds."""

    decision_time: datetime = Field(description="Time of the decision.")
    reason: str = Field(description="Kind of the decision, in CamelCase.")
    rule: str = Field(description="Rule that applied.")
    observed: str = Field(description="Observation that the rule applied to.")
    outcome: str = Field(description="Consequence of the decision.")


class Metadata(ApiModel):
    """The part of an object's metadata that decisions look at."""

    name: str
    namespace: str
    uid: str
    generation: int = 1
    resource_version: str = ""
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None


class Column(ApiModel):
    """A printer column of `kubectl get`."""

    name: str
    type: Literal["string", "integer", "number", "date", "boolean"]
    json_path: str
    priority: int = 0


def list_map(*keys: str) -> dict[str, Any]:
    """Marks a list as a map by these keys, so that server-side apply merges it by item."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


Conditions = Annotated[list[Condition], Field(max_length=16, json_schema_extra=list_map("type"))]
Decisions = Annotated[list[Decision], Field(max_length=20)]


class Status(ApiModel):
    """The part of the status that all kinds share."""

    observed_generation: int = Field(0, description="Generation of the object that this status was computed from.")
    conditions: Conditions = Field([], description="Ready, Reconciling, Stalled.")


class StatusWithDecisions(Status):
    """The status of a kind whose decisions are recorded."""

    decisions: Decisions = Field([], description="Last decisions, the newest last.")


class Kind(ApiModel):
    """Base of the three kinds."""

    KIND: ClassVar[str]
    PLURAL: ClassVar[str]
    SHORT_NAMES: ClassVar[tuple[str, ...]]
    COLUMNS: ClassVar[tuple[Column, ...]]
    # The names of children follow from it, and those of pods are labels of 63 characters at most.
    LONGEST_NAME: ClassVar[int]
    SCALE: ClassVar[dict[str, str]] = {}

    metadata: Metadata
    status: Status
