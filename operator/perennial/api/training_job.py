"""TrainingJob: one run that ends in one artifact."""

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field

from perennial.api.artifact import Artifact
from perennial.api.kind import Column, Kind
from perennial.api.metrics import Metrics
from perennial.api.schema import ApiModel, Immutable
from perennial.api.status import Conditions, Status
from perennial.api.training import BUILT_IN_MODEL, TASK_RULES, ModelSource, Training
from perennial_contract.job import Data, Output, VersionArtifact
from perennial_contract.job.block import cel


class TrainingJobSpec(ApiModel):
    """Desired state of the run. Immutable, except for suspend and ttlSecondsAfterFinished."""

    model_config = cel(
        *BUILT_IN_MODEL,
        (
            "has(self.compareWith) == has(oldSelf.compareWith) && has(self.training) == has(oldSelf.training)",
            "only `suspend` and `ttlSecondsAfterFinished` may change; create another TrainingJob instead",
        ),
        *TASK_RULES,
    )

    model: Annotated[ModelSource, Immutable] = Field(description="Model to train.")
    data: Annotated[Data, Immutable] = Field(description="Training and validation data.")
    training: Annotated[Training, Immutable] = Field(Training(), description="Training parameters.")
    compare_with: Annotated[VersionArtifact, Immutable] | None = Field(
        None, description="Artifact to evaluate on the same held-out set in the same run."
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


class Progress(ApiModel):
    """The last report of the running training."""

    step: int = Field(description="Optimiser steps done.")
    max_steps: int = Field(description="Optimiser steps at most.")
    loss: float | None = Field(None, description="Training loss of the last steps, in nats.")
    validation_loss: float | None = Field(None, description="Last validation loss, in nats.")
    tokens_per_second: float | None = Field(None, description="Training tokens per second.")
    eta_seconds: float | None = Field(None, description="Seconds that the rest takes at this speed.")


class DataFacts(ApiModel):
    """What was learnt from, as it was found."""

    digest: str = Field(description="SHA-256 over the examples after preprocessing.")
    train_examples: int = Field(description="Examples learnt from.")
    validation_examples: int = Field(description="Examples held out.")
    train_tokens: int | None = Field(None, description="Tokens learnt from, once through.")
    counts: dict[str, dict[str, int]] = Field(
        {}, description="Of the training and of the validation data: examples read, left out by which step, or added."
    )


class Comparison(ApiModel):
    """The served version on this run's held-out set."""

    version: int = Field(description="Its number.")
    metrics: Metrics = Field(description="Its metrics there.")


class Baseline(ApiModel):
    """A naive rule on the same held-out set: what can be had without learning."""

    name: str = Field(description="What the rule is.")
    metrics: Metrics = Field(description="Its metrics there.")


class TrackingResult(ApiModel):
    """What the tracking server knows of the run."""

    state: str = Field(description="Complete or Incomplete.")
    message: str | None = Field(None, description="Why it does not know all.")
    url: str | None = Field(None, description="Where the run is shown.")


class Result(ApiModel):
    """What a finished run left."""

    artifact: Artifact = Field(description="The trained model.")
    metrics: Metrics = Field(description="Metrics on the held-out set.")
    initial_metrics: Metrics = Field({}, description="Metrics of the untrained model on the held-out set.")
    baseline: Baseline | None = Field(None, description="A naive rule on the held-out set.")
    training_loss: float | None = Field(
        None, description="Loss on examples that were learnt from; metrics.loss exceeds it by what was learnt by heart."
    )
    comparison: Comparison | None = Field(None, description="The served version on the same held-out set.")
    data: DataFacts | None = Field(None, description="What was learnt from.")
    tracking: TrackingResult | None = Field(None, description="What the tracking server knows of the run.")
    steps: int = Field(description="Optimiser steps done.")
    stopped_early: bool = Field(False, description="Whether early stopping ended it.")
    made_with: dict[str, str] = Field({}, description="Versions of the software.")


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
