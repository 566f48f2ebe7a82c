"""What a training tells the operator: progress in its log, and at its end a result as the termination message.

The operator reads the same classes. A failure is perennial_contract.exits.Failure, for which the standard library does.
"""

import json
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from perennial_contract import exits
from perennial_contract.job.block import Block
from perennial_contract.job.storage import ArtifactUri, Digest

SCHEMA: Final = 1
Metrics = Annotated[dict[str, float], Field(max_length=16)]


class Progress(Block):
    """The last report of the running training."""

    step: int = Field(description="Optimizer steps done.")
    max_steps: int = Field(description="Optimizer steps at most.")
    loss: float | None = Field(None, description="Training loss of the last steps, in nats.")
    validation_loss: float | None = Field(None, description="Last validation loss, in nats.")
    tokens_per_second: float | None = Field(None, description="Training tokens per second.")
    eta_seconds: float | None = Field(None, description="Seconds that the rest takes at this speed.")

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
    """What was learned from, as it was found."""

    digest: str = Field(description="SHA-256 over the examples after preprocessing.")
    train_examples: int = Field(description="Examples learned from.")
    validation_examples: int = Field(description="Examples held out.")
    train_tokens: int | None = Field(None, description="Tokens learned from, once through.")
    counts: dict[str, dict[str, int]] = Field(
        {}, description="Of the training and of the validation data: examples read, left out by which step, or added."
    )


class Comparison(Block):
    """The served version on this run's held-out set."""

    version: int = Field(description="Its number.")
    metrics: Metrics = Field(description="Its metrics there.")


class Baseline(Block):
    """A naive rule on the same held-out set: what can be had without learning."""

    name: str = Field(description="What the rule is.")
    metrics: Metrics = Field(description="Its metrics there.")


class TrackingResult(Block):
    """What the tracking server knows of the run."""

    state: str = Field(description="Complete or Incomplete.")
    message: str | None = Field(None, description="Why it does not know all.")
    url: str | None = Field(None, description="Where the run is shown.")


# Optional in a result, as a program of one's own need not know them; a manifest of ours has them all.
NaiveRule = Annotated[Baseline, Field(description="A naive rule on the held-out set.")]
LossOnTrainingData = Annotated[
    float,
    Field(description="Loss on examples that were learned from; metrics.loss exceeds it by what was learned by heart."),
]
LearnedFrom = Annotated[DataFacts, Field(description="What was learned from.")]


class Measured(Block):
    """What a training found: its result says it, and the manifest of its artifact."""

    metrics: Metrics = Field(description="Metrics on the held-out set.")
    initial_metrics: Metrics = Field({}, description="Metrics of the untrained model on the held-out set.")
    baseline: NaiveRule | None = None
    training_loss: LossOnTrainingData | None = None
    comparison: Comparison | None = Field(None, description="The served version on the same held-out set.")
    data: LearnedFrom | None = None
    steps: int = Field(description="Optimizer steps done.")
    stopped_early: bool = Field(False, description="Whether early stopping ended it.")
    made_with: dict[str, str] = Field({}, description="Versions of the software.")


class Result(Measured):
    """What a finished run left."""

    artifact: Artifact = Field(description="The trained model.")
    tracking: TrackingResult | None = Field(None, description="What the tracking server knows of the run.")


class ResultMessage(Result):
    """The result as the termination message has it: JSON of at most 4,096 bytes (exits.leave)."""

    perennial: Literal["result"] = Field(description="Kind of the message.")
    schema_version: Literal[1] = Field(alias="schema", description="Version of this schema.")

    @classmethod
    def of(cls, artifact: Artifact, measured: Measured) -> "ResultMessage":
        """The message on an artifact and what was measured of it."""
        found = measured.model_dump(include=set(Measured.model_fields))
        return cls.model_validate({"perennial": exits.RESULT, "schema": SCHEMA, "artifact": artifact} | found)

    def document(self) -> dict[str, Any]:
        """The message in camelCase."""
        return self.model_dump(by_alias=True, mode="json")
