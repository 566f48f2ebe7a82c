"""LanguageModel: the life of one model."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from perennial.api.common import (
    ApiModel,
    Artifact,
    Column,
    Conditions,
    Credentials,
    Duration,
    Kind,
    MetricName,
    Metrics,
    Percentage,
    Query,
    StatusWithDecisions,
    cel,
    exactly_one,
    list_map,
)
from perennial.api.deployment import DeploymentTemplate
from perennial.api.training import BUILT_IN_MODEL, TASK_RULES, Data, ModelSource, Storage, Training, VersionArtifact
from perennial.api.training_job import Comparison
from perennial_contract.tasks import TASKS

TriggerName = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$", max_length=63)]


class BetterThanServed(ApiModel):
    """Both versions judged on the same held-out set, in the same run."""

    by: Percentage = Field("0%", description="By how much at least, as a share of the served version's value.")


class Gate(ApiModel):
    """What a version must reach to be served."""

    model_config = cel(exactly_one("max", "min", "betterThanServed"))

    metric: MetricName = Field(
        description="loss (nats), or a metric of the task: perplexity, bitsPerByte, bleu, chrf, accuracy, macroF1, "
        "exactMatch, f1."
    )  # fmt: skip
    max: float | None = Field(None, description="The metric must not exceed this.")
    min: float | None = Field(None, description="The metric must not fall below this.")
    better_than_served: BetterThanServed | None = Field(
        None, description="The metric must be better than that of the version in service."
    )


class Evaluation(ApiModel):
    """How a version is judged."""

    gates: Annotated[list[Gate], Field(max_length=16)] = Field(
        [], description="All must be passed; a version that misses one is refused."
    )


class MetricTrigger(ApiModel):
    """Start the next version when a Prometheus query is out of bounds."""

    model_config = cel(
        exactly_one("above", "below"), ("self.name != 'schedule'", "schedule is the name of retraining.schedule")
    )

    name: TriggerName = Field(description="Name of the trigger.")
    query: Query = Field(description="PromQL that yields one number; no data or NaN triggers nothing.")
    above: float | None = Field(None, description="Out of bounds above this value.")
    below: float | None = Field(None, description="Out of bounds below this value.")
    for_: Duration = Field("0s", alias="for", description="How long it must be out of bounds without a break.")


class Retraining(ApiModel):
    """What starts the next version by itself."""

    schedule: Annotated[str, Field(pattern=r"^[^\s]+( [^\s]+){4}$", max_length=128)] | None = Field(
        None, description="Cron expression of five fields, in UTC."
    )
    on_metric: Annotated[list[MetricTrigger], Field(max_length=8, json_schema_extra=list_map("name"))] = Field(
        [], description="Start when a metric is out of bounds."
    )
    cooldown: Duration = Field("1h", description="Least time between the starts of two versions by trigger.")
    max_runs_per_day: int | None = Field(
        None, ge=1, le=1000, description="Versions started by triggers within 24 hours at most."
    )


class Versions(ApiModel):
    """Which versions are kept."""

    keep: int = Field(
        5, ge=1, le=100, description="Newest versions whose artifacts are kept; the served one always is."
    )


class Pin(ApiModel):
    """Serve this version."""

    version: int = Field(ge=1, le=1000000, description="Number of a version whose artifact is kept.")


class Promotion(ApiModel):
    """Which version is served."""

    pin: Pin | None = Field(None, description="Serve this version, whatever comes after it; also rolls back.")


_METRIC_RULES = [
    (
        f"self.model.task != '{task.name}' || !has(self.evaluation) || !has(self.evaluation.gates) "
        f"|| self.evaluation.gates.all(gate, gate.metric in {list(task.metrics)})",
        f"{task.name} has the metrics {', '.join(task.metrics)}",
    )
    for task in TASKS.values()
]


class LanguageModelSpec(ApiModel):
    """What the model is for, what it learns from, how good it must be and how it is served."""

    model_config = cel(*BUILT_IN_MODEL, *TASK_RULES, *_METRIC_RULES)

    model: ModelSource = Field(description="What is trained.")
    data: Data = Field(description="What it learns from.")
    training: Training = Field(Training(), description="How it learns.")
    evaluation: Evaluation = Field(Evaluation(), description="How a version is judged.")
    storage: Storage = Field(description="Where the artifacts of the versions are kept.")
    deployment: DeploymentTemplate = Field(DeploymentTemplate(), description="How it is served.")
    retraining: Retraining = Field(Retraining(), description="What starts the next version by itself.")
    versions: Versions = Field(Versions(), description="Which versions are kept.")
    promotion: Promotion = Field(Promotion(), description="Which version is served.")


VersionState = Literal["Training", "Accepted", "Refused", "Failed", "Superseded"]


class Version(ApiModel):
    """One version of the model."""

    number: int = Field(description="Counts from 1 and is never used again.")
    state: VersionState = Field(description="Training, or how it ended.")
    reason: str = Field(description="What started it.")
    fingerprint: str = Field(description="Hash of the model, data and training that it was started with.")
    run_fingerprint: str | None = Field(
        None, description="Hash of where and how it is trained: storage, compute, runtime, checkpoints and retries."
    )
    training_job: str = Field(description="Name of its TrainingJob.")
    uri: str = Field(description="Where its artifact is or would be.")
    credentials: Credentials | None = Field(
        None, description="Secret with the credentials for it, if spec.storage was elsewhere then."
    )
    artifact: Artifact | None = Field(None, description="Its artifact, once trained.")
    metrics: Metrics = Field({}, description="Its metrics on the held-out set.")
    judged_against: int | None = Field(None, description="Number of the version in service when it was started.")
    comparison: Comparison | None = Field(None, description="The version then in service, on the same held-out set.")
    created_at: datetime = Field(description="When it was started.")
    finished_at: datetime | None = Field(None, description="When its training ended.")
    message: str | None = Field(None, description="Why it was accepted, refused or failed.")
    collecting: bool = Field(False, description="Whether its artifact is being deleted (versions.keep).")

    @property
    def is_kept(self) -> bool:
        """Whether it has an artifact that stays."""
        return self.artifact is not None and not self.collecting


class TriggerStatus(ApiModel):
    """What is known of a trigger."""

    name: str = Field(description="Name of the trigger; `schedule` is the schedule.")
    fingerprint: str | None = Field(None, description="Hash of what is watched; when it changes, all begins anew.")
    breached_since: datetime | None = Field(None, description="Since when the metric is out of bounds.")
    missing: str | None = Field(None, description="Why the metric has no value.")
    held: str | None = Field(None, description="Why a trigger that would fire is held back.")
    checked_from: datetime | None = Field(None, description="Times of the schedule up to this one are dealt with.")
    last_fired: datetime | None = Field(None, description="When it last started a version.")


class LanguageModelStatus(StatusWithDecisions):
    """How the model is."""

    conditions: Conditions = Field([], description="Ready, Reconciling, Stalled, Trained, Served.")
    last_version: int = Field(0, description="Number of the newest version.")
    serving_version: int | None = Field(None, description="Number of the version in service.")
    versions: Annotated[list[Version], Field(max_length=1100, json_schema_extra=list_map("number"))] = Field(
        [], description="The versions that are kept, the oldest first."
    )
    triggers: Annotated[list[TriggerStatus], Field(max_length=16, json_schema_extra=list_map("name"))] = Field(
        [], description="What is known of the triggers."
    )
    triggered_runs: Annotated[list[datetime], Field(max_length=1000)] = Field(
        [], description="When triggers started a version, as far back as cooldown and maxRunsPerDay look."
    )
    url: str | None = Field(None, description="URL inside the cluster, as clients of the API want it.")


class LanguageModel(Kind):
    """The life of one model: data, training, gates, versions, service, watch, retraining."""

    PLURAL: ClassVar[str] = "languagemodels"
    KIND: ClassVar[str] = "LanguageModel"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("lm",)
    LONGEST_NAME: ClassVar[int] = 40
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column(name="Task", type="string", json_path=".spec.model.task"),
        Column(name="Serving", type="integer", json_path=".status.servingVersion"),
        Column(name="Newest", type="integer", json_path=".status.lastVersion"),
        Column(name="Ready", type="string", json_path='.status.conditions[?(@.type=="Ready")].status'),
        Column(name="Reason", type="string", json_path='.status.conditions[?(@.type=="Ready")].reason'),
        Column(name="Age", type="date", json_path=".metadata.creationTimestamp"),
        Column(name="URL", type="string", json_path=".status.url", priority=1),
    )

    spec: LanguageModelSpec
    status: LanguageModelStatus = LanguageModelStatus()

    def credentials_of(self, version: Version) -> Credentials | None:
        """Those of the spec, which may name another Secret by now; of a storage that was left, those of then."""
        storage = self.spec.storage
        here = version.uri.startswith(f"{storage.uri.rstrip('/')}/")
        return storage.credentials if here else version.credentials

    def artifact_of(self, version: Version) -> VersionArtifact:
        """The artifact of a version that is_kept, and how it is read."""
        assert version.artifact
        return VersionArtifact(
            version=version.number,
            uri=version.artifact.uri,
            digest=version.artifact.digest,
            credentials=self.credentials_of(version),
        )
