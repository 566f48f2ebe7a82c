"""What the manifest of an artifact says besides the digests of its files (perennial_contract.manifest)."""

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, ValidationError

from perennial_contract import manifest
from perennial_contract.job import Block, Job, JobName
from perennial_contract.job.storage import Digest
from perennial_contract.result import LearnedFrom, LossOnTrainingData, Measured, NaiveRule


class Facts(Block):
    """What is read of any artifact; the program that made it may have left out each of them."""

    task: str | None = Field(None, description="Task of the model; the built-in runtime must know it to serve it.")
    job: JobName | None = Field(None, description="The TrainingJob that made it.")
    context_length: int | None = Field(None, description="Tokens per sequence that it was trained with.")

    @classmethod
    def of(cls, document: dict[str, Any]) -> Self:
        """The facts in a manifest. Raises TamperedArtifact where one is missing or of another type."""
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            (first, *_) = error.errors()
            field = ".".join(map(str, first["loc"]))
            raise manifest.TamperedArtifact(f"{field} in {manifest.NAME}: {first['msg']}") from None


class Parent(Block):
    """The model that a training started from."""

    uri: str = Field(description="Where it was.")
    digest: str | None = Field(description="Digest of its manifest, or commit of the hub.")


class TrainingFacts(Measured, Facts):
    """All that the built-in training says of an artifact."""

    name: str = Field(description="Name of the model: the path of the artifact.")
    task: str = Field(description="Task of the model.")
    created_at: datetime = Field(description="When the training ended.")
    job: JobName = Field(description="The TrainingJob that made it.")
    parent: Parent | None = Field(description="Model that the training started from; null for random weights.")
    baseline: NaiveRule
    training_loss: LossOnTrainingData
    data: LearnedFrom
    best_step: int = Field(description="Step of the weights: the one with the lowest loss.")
    context_length: int = Field(description="Tokens per sequence that it was trained with.")
    labels: list[str] | None = Field(description="Classes in their order, of a task that has them.")
    config: Job = Field(description="Configuration of the training.")


class Manifest(TrainingFacts):
    """perennial.json. A program of one's own may leave out all but `schema` and `files`, and add facts."""

    model_config = ConfigDict(json_schema_extra={"required": ["schema", "files"]})

    schema_version: Literal[1] = Field(alias="schema", description="Version of this schema.")
    files: dict[str, Digest] = Field(description="SHA-256 of each other file, by its path relative to the folder.")
