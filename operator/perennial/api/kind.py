"""The base of the three kinds."""

from datetime import datetime
from typing import ClassVar, Literal

from perennial.api.schema import ApiModel
from perennial.api.status import Status


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
