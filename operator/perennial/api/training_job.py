"""TrainingJob: one run that ends in one artifact."""

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field

from perennial.api.kind import Column, Kind
from perennial.api.schema import ApiModel, Immutable
from perennial.api.status import Conditions, Status
from perennial.api.training import BUILT_IN_MODEL, TASK_RULES, ModelSource, Training
from perennial_contract.job import Data, Output, VersionArtifact
from perennial_contract.job.block import cel
from perennial_contract.result import Progress, Result


class TrainingJobSpec(ApiModel):
    """Desired state of the run. Immutable, except for suspend and ttlSecondsAfterFinished."""

    model_config = cel(
        *BUILT_IN_MODEL,
        (
            "has(self.compareWith) == has(oldSelf.compareWith)",
            "only `suspend` and `ttlSecondsAfterFinished` may change; create another TrainingJob instead",
        ),
        *TASK_RULES,
    )

    model: Annotated[ModelSource, Immutable] = Field(description="Model to train.")
    data: Annotated[Data, Immutable] = Field(description="Training and validation data.")
    training: Annotated[Training, Immutable] = Field(Training(), description="Training parameters.")
    compare_with: Annotated[VersionArtifact, Immutable] | None = Field(
        None,
        description="Artifact to evaluate on the same held-out set in the same run. If it can't be read, the run "
        "completes without a comparison.",
    )
    output: Annotated[Output, Immutable] = Field(description="Location of the artifact.")
    suspend: bool = Field(
        False, description="Suspends the training: its pods save a checkpoint and stop. Set it to false to resume."
    )
    ttl_seconds_after_finished: int | None = Field(
        None,
        ge=0,
        le=2147483647,
        description="Seconds between the end of the run and the deletion of the TrainingJob. The artifact is kept.",
    )


class TrainingJobStatus(Status):
    """Observed state of the run."""

    state: str = Field("", description="Pending, Running, Suspended, Complete or Failed. For display only.")
    conditions: Conditions = Field([], description="Ready, Reconciling, Stalled, Complete, Failed, Suspended, Running.")
    base: VersionArtifact | None = Field(None, description="Artifact that spec.model.languageModelRef was resolved to.")
    progress: Progress | None = Field(None, description="Last report of the training.")
    result: Result | None = Field(None, description="Result of the run.")
    start_time: datetime | None = Field(None, description="Start of the first pod.")
    completion_time: datetime | None = Field(None, description="End of the run.")


class TrainingJob(Kind):
    """One run that ends in one artifact: preprocess, train, evaluate, serialize."""

    PLURAL: ClassVar[str] = "trainingjobs"
    KIND: ClassVar[str] = "TrainingJob"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("tj",)
    LONGEST_NAME: ClassVar[int] = 60
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column(name="State", type="string", json_path=".status.state"),
        Column(name="Step", type="integer", json_path=".status.progress.step"),
        Column(name="Max Steps", type="integer", json_path=".status.progress.maxSteps"),
        Column(name="Loss", type="number", json_path=".status.progress.loss"),
        Column(name="Validation", type="number", json_path=".status.progress.validationLoss"),
        Column(name="Tokens/s", type="number", json_path=".status.progress.tokensPerSecond"),
        Column(name="ETA (s)", type="number", json_path=".status.progress.etaSeconds"),
        Column(name="Age", type="date", json_path=".metadata.creationTimestamp"),
        Column(
            name="Reason",
            type="string",
            json_path='.status.conditions[?(@.type=="Ready")].reason',
            priority=1,
        ),
    )

    spec: TrainingJobSpec
    status: TrainingJobStatus = TrainingJobStatus()
