"""What a training tells the operator: progress in its log, and at its end a result as the termination message.

The operator reads the same classes. A failure is perennial_contract.exits.Failure, for which the standard library does.
"""

import json
from typing import Annotated, Final, Literal

from pydantic import Field

from perennial_contract import exits
from perennial_contract.job.block import Block
from perennial_contract.job.storage import ArtifactUri, Digest

SCHEMA: Final = 1
Metrics = Annotated[dict[str, float], Field(max_length=16)]


class Progress(Block):
    """Last report of the training."""

    step: int = Field(description="Optimizer steps done.")
    max_steps: int = Field(description="Maximum number of optimizer steps.")
    loss: float | None = Field(None, description="Mean training loss of the last steps, in nats.")
    validation_loss: float | None = Field(None, description="Last validation loss, in nats.")
    tokens_per_second: float | None = Field(None, description="Training tokens per second.")
    eta_seconds: float | None = Field(None, description="Estimated seconds to completion.")

    def line(self) -> str:
        """The report as a line of the log."""
        return json.dumps({exits.KIND: exits.PROGRESS} | self.to_wire())

    @classmethod
    def of_line(cls, line: str) -> "Progress | None":
        """The report in a line of a log, which any program may have written; None if it holds none."""
        if not line.startswith("{"):
            return None
        try:
            fields = json.loads(line, parse_constant=lambda _: None)
            return cls.model_validate(fields, strict=True) if fields.get(exits.KIND) == exits.PROGRESS else None
        except (ValueError, RecursionError):  # a ValidationError is a ValueError
            return None


class Artifact(Block):
    """A trained model in storage."""

    uri: ArtifactUri = Field(description="Where the artifact's folder is.")
    digest: Digest = Field(description="SHA-256 of the artifact's manifest, which holds the digest of each file.")
    size_bytes: int | None = Field(None, description="Size of the whole folder in bytes.")


class DataFacts(Block):
    """Data of the run."""

    digest: str = Field(description="SHA-256 over the examples after preprocessing.")
    train_examples: int = Field(description="Number of training examples.")
    validation_examples: int = Field(description="Number of held-out examples.")
    train_tokens: int | None = Field(None, description="Number of training tokens in one epoch.")
    counts: dict[str, dict[str, int]] = Field(
        {}, description="Examples read, dropped by each step, or added, for the training and the validation data."
    )


class Comparison(Block):
    """Evaluation of the served version on the held-out set of this run."""

    version: int = Field(description="Number of the version.")
    metrics: Metrics = Field({}, description="Metrics of the version; none if it could not be evaluated.")
    message: str | None = Field(None, description="Reason why the version could not be evaluated.")


class Baseline(Block):
    """Evaluation of a naive rule, which learns nothing, on the same held-out set."""

    name: str = Field(description="Description of the rule.")
    metrics: Metrics = Field(description="Metrics of the rule.")


class TrackingResult(Block):
    """Record of the run on the tracking server."""

    state: str = Field(description="Complete or Incomplete.")
    message: str | None = Field(None, description="Reason for an incomplete record.")
    url: str | None = Field(None, description="URL of the run.")


# Optional in a result, as a program of one's own need not know them; a manifest of ours has them all.
NaiveRule = Annotated[Baseline, Field(description="Naive rule on the same held-out set.")]
LossOnTrainingData = Annotated[
    float,
    Field(description="Loss on training examples. The difference to metrics.loss shows overfitting."),
]
LearnedFrom = Annotated[DataFacts, Field(description="Data of the run.")]


class Measured(Block):
    """What a training found: its result says it, and the manifest of its artifact."""

    metrics: Metrics = Field(description="Metrics on the held-out set.")
    initial_metrics: Metrics = Field({}, description="Metrics of the untrained model on the held-out set.")
    baseline: NaiveRule | None = None
    training_loss: LossOnTrainingData | None = None
    comparison: Comparison | None = Field(None, description="Served version on the same held-out set.")
    data: LearnedFrom | None = None
    steps: int = Field(description="Optimizer steps done.")
    stopped_early: bool = Field(False, description="Whether early stopping ended the training.")
    made_with: dict[str, str] = Field({}, description="Software versions, by package.")


class Result(Measured):
    """What a finished run left."""

    artifact: Artifact = Field(description="Trained model.")
    tracking: TrackingResult | None = Field(None, description="Record on the tracking server.")
    reused: bool = Field(
        False, description="Whether the artifact is of an earlier TrainingJob of this name and configuration."
    )


class ResultMessage(Result):
    """The result as the termination message has it: JSON of at most 4,096 bytes (exits.leave)."""

    perennial: Literal["result"] = Field(description="Kind of the message.")
    schema_version: Literal[1] = Field(alias="schema", description="Version of this schema.")

    @classmethod
    def of(cls, artifact: Artifact, measured: Measured, reused: bool = False) -> "ResultMessage":
        """The message on an artifact and what was measured of it."""
        found = measured.model_dump(include=set(Measured.model_fields)) | {"artifact": artifact, "reused": reused}
        return cls.model_validate({"perennial": exits.RESULT, "schema": SCHEMA} | found)
