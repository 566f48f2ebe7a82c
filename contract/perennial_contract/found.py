"""Artifacts that are in storage already: what a pod that sees the storage tells the operator of them."""

import re
from datetime import datetime
from typing import Literal, Self

from pydantic import Field

from perennial_contract import exits
from perennial_contract.job.block import Block
from perennial_contract.result import Artifact, Comparison, Metrics

SCHEMA = 1
MOST = 32  # a termination message has no room for more
_FOLDER = re.compile(r"v([1-9][0-9]{0,6})-[^/]+")


def folder_of(number: int, uid: str) -> str:
    """Name of the folder of a version.

    A part of the UID keeps apart what objects of the same name train one after the other.
    """
    return f"v{number}-{uid[:8]}"


def number_of(folder: str) -> int | None:
    """Number of the version in the name of its folder, if it is one."""
    match = _FOLDER.fullmatch(folder)
    return int(match[1]) if match else None


class FoundArtifact(Block):
    """An artifact in storage."""

    artifact: Artifact = Field(description="Where it is, and its digest.")
    number: int | None = Field(None, description="Number of the version in the name of its folder.")
    task: str | None = Field(None, description="Task of the model.")
    fingerprint: str | None = Field(None, description="Hash of its model, data and training parameters.")
    created_at: datetime | None = Field(None, description="End of its training.")
    metrics: Metrics = Field({}, description="Metrics on its held-out set.")
    comparison: Comparison | None = Field(None, description="Version in service at the time, on that held-out set.")
    data_digest: str | None = Field(None, description="SHA-256 over the examples of its training and its held-out set.")


class FoundMessage(Block):
    """All artifacts of a folder as the termination message has them: as many of the newest as fit (exits.leave)."""

    perennial: Literal["artifacts"] = Field(description="Kind of the message.")
    schema_version: Literal[1] = Field(alias="schema", description="Version of this schema.")
    found: list[FoundArtifact] = Field(description="Artifacts, the newest first.")
    omitted: int = Field(0, description="Number of older artifacts that the message has no room for.")

    @classmethod
    def of(cls, artifacts: list[FoundArtifact]) -> Self:
        """The message on these artifacts, the newest first."""
        shown = min(len(artifacts), MOST)
        while not exits.fits((message := cls._of(artifacts[:shown], len(artifacts) - shown)).to_wire()):
            shown -= 1
        return message

    @classmethod
    def _of(cls, found: list[FoundArtifact], omitted: int) -> Self:
        content = {"perennial": exits.ARTIFACTS, "schema": SCHEMA, "found": found, "omitted": omitted}
        return cls.model_validate(content)
