"""job.json: the configuration of one training."""

import hashlib
from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import Field

from perennial_contract.job.block import Block
from perennial_contract.job.data import Data
from perennial_contract.job.model import JobModel, Task
from perennial_contract.job.storage import Output, VersionArtifact
from perennial_contract.job.training import JobTraining

SCHEMA: Final = 1


class JobName(Block):
    """The TrainingJob."""

    namespace: Annotated[str, Field(min_length=1, max_length=63)] = Field(description="Namespace of the TrainingJob.")
    name: Annotated[str, Field(min_length=1, max_length=253)] = Field(description="Name of the TrainingJob.")
    uid: Annotated[str, Field(pattern=r"^[A-Za-z0-9][-A-Za-z0-9]{0,63}$")] = Field(
        description="UID of the TrainingJob; also the name of its working folder."
    )
    fingerprint: str | None = Field(None, description="Hash of its model, data and training parameters.")


class Job(Block):
    """Configuration of one training, as /etc/perennial/job.json has it."""

    schema_version: Literal[1] = Field(SCHEMA, alias="schema", description="Version of this schema.")
    job: JobName = Field(description="The TrainingJob.")
    task: Task = Field(description="Task of the model.")
    model: JobModel = Field(description="Model to train.")
    data: Data = Field(description="Training and validation data.")
    training: JobTraining = Field(description="Training parameters.")
    compare_with: VersionArtifact | None = Field(
        None,
        description="Version in service, to judge on the same held-out set in the same run. If it can't be read, the "
        "training completes without a comparison.",
    )
    output: Output = Field(description="Location of the artifact.")

    def uris(self) -> Iterator[tuple[str, str]]:
        """Path and value of each URI."""
        for index, source in enumerate(self.data.train):
            yield f"data.train.{index}.uri", source.uri
        if self.data.validation.uri:
            yield "data.validation.uri", self.data.validation.uri
        if self.model.pretrained:
            yield "model.pretrained.uri", self.model.pretrained.uri
        if self.compare_with:
            yield "compareWith.uri", self.compare_with.uri
        yield "output.uri", self.output.uri

    def digest(self) -> str:
        """Equal for equal configurations."""
        return f"sha256:{hashlib.sha256(self.model_dump_json(by_alias=True).encode()).hexdigest()}"
