"""LanguageModel: the life of one model."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from perennial.api.deployment import DeploymentTemplate
from perennial.api.duration import Duration
from perennial.api.kind import Column, Kind
from perennial.api.metrics import MetricName, Query
from perennial.api.schema import ApiModel, list_map
from perennial.api.status import Conditions, StatusWithDecisions
from perennial.api.training import BUILT_IN_MODEL, TASK_RULES, ModelSource, Storage, Training
from perennial_contract.job import Data, VersionArtifact
from perennial_contract.job.block import cel, exactly_one
from perennial_contract.job.storage import Credentials, StorageUri
from perennial_contract.result import Artifact, Comparison, Metrics
from perennial_contract.tasks import TASKS

TriggerName = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$", max_length=63)]
VersionNumber = Annotated[int, Field(ge=1, le=1000000)]
# Entries of status.versions beyond versionHistoryLimit: versions whose artifacts are deleted or being deleted.
HISTORY_MARGIN = 10
LONGEST_HISTORY = 100


class BetterThanServed(ApiModel):
    """Comparison with the version in service, on the same held-out set and in the same run."""

    by: float = Field(
        0.0, ge=0, le=1, description="Minimum improvement, as a share of the value of the version in service."
    )


class Gate(ApiModel):
    """Requirement that a version must meet before it is served."""

    model_config = cel(exactly_one("max", "min", "betterThanServed"))

    metric: MetricName = Field(
        description="Name of the metric: loss (nats), or a metric of the task: perplexity, bitsPerByte, bleu, chrf, "
        "accuracy, macroF1, exactMatch, f1."
    )
    max: float | None = Field(None, description="Maximum value of the metric.")
    min: float | None = Field(None, description="Minimum value of the metric.")
    better_than_served: BetterThanServed | None = Field(
        None, description="The metric must be better than that of the version in service."
    )


class Evaluation(ApiModel):
    """Evaluation of a version."""

    gates: Annotated[list[Gate], Field(max_length=16)] = Field(
        [], description="Requirements for service. A version that misses one of them is refused."
    )


class ScheduleTrigger(ApiModel):
    """Times at which a version is started."""

    cron: Annotated[str, Field(pattern=r"^[^\s]+( [^\s]+){4}$", max_length=128)] = Field(
        description="Cron expression of five fields."
    )
    time_zone: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$", max_length=64)] = Field(
        "UTC", description="Name of the time zone in the IANA database, such as Europe/Berlin. Defaults to UTC."
    )
    jitter: Duration = Field(
        "0s",
        description="Maximum delay of the start. Each model has a fixed delay up to it, so that models with the same "
        "schedule don't start at once. Defaults to 0s.",
    )


class MetricTrigger(ApiModel):
    """Bound on the value of a Prometheus query."""

    model_config = cel(exactly_one("above", "below"))

    query: Query = Field(description="PromQL that yields one number. Missing data and NaN start nothing.")
    above: float | None = Field(None, description="Values above this one are out of bounds.")
    below: float | None = Field(None, description="Values below this one are out of bounds.")
    for_: Duration = Field(
        "0s", alias="for", description="Minimum duration out of bounds without a break. Defaults to 0s."
    )


class Trigger(ApiModel):
    """Cause of a new version. Exactly one of the blocks must be set."""

    model_config = cel(exactly_one("schedule", "metric", "request"))

    name: TriggerName = Field(description="Name of the trigger, unique in the list.")
    schedule: ScheduleTrigger | None = Field(None, description="Starts a version at the times of a schedule.")
    metric: MetricTrigger | None = Field(None, description="Starts a version when a metric is out of bounds.")
    request: Annotated[str, Field(min_length=1, max_length=253)] | None = Field(
        None,
        description="Starts a version when it is set to another value. The value at the creation of the model is "
        "satisfied by the first version.",
    )


class Retraining(ApiModel):
    """Causes of new versions besides changes of the spec, and their limits."""

    triggers: Annotated[list[Trigger], Field(max_length=16, json_schema_extra=list_map("name"))] = Field(
        [], description="Causes of new versions."
    )
    cooldown: Duration = Field("1h", description="Minimum time between the starts of two triggered versions.")
    max_runs_per_day: int | None = Field(
        None, ge=1, le=1000, description="Maximum number of triggered versions within 24 hours."
    )
    seed_policy: Literal["Fixed", "Varied"] = Field(
        "Fixed",
        description="Seed of a version that a trigger starts. Fixed: the seed of the spec, so that the same data give "
        "the same model. Varied: another one for each version.",
    )
    backoff_limit: int = Field(
        3,
        ge=0,
        le=10,
        description="Number of further versions that are started after a failed one with the same spec: the first "
        "after 10 minutes, each next one after twice as long.",
    )


class Import(Storage):
    """Artifacts in storage that become versions."""

    uri: StorageUri = Field(
        description="An artifact, or a folder of artifacts, such as the one of a former object of this name: "
        "pvc://claim/folder or s3://bucket/folder."
    )


class Approve(ApiModel):
    """Approval of one version."""

    version: VersionNumber = Field(description="Number of the version to serve, once it has passed its gates.")


class Pin(ApiModel):
    """Version in service regardless of gates and policy."""

    version: VersionNumber = Field(description="Number of a version whose artifact is kept.")


class Promotion(ApiModel):
    """Choice of the version in service."""

    model_config = cel(
        ("!has(self.approve) || self.policy == 'Manual'", "`policy` must be 'Manual' where `approve` is set")
    )

    policy: Literal["Automatic", "Manual"] = Field(
        "Automatic",
        description="Automatic serves the newest version that passed its gates. Manual serves the version that "
        "`approve` names.",
    )
    approve: Approve | None = Field(None, description="Approved version. Only with the policy Manual.")
    pin: Pin | None = Field(None, description="Pinned version. Overrides policy and approval; also rolls back.")


_METRIC_RULES = [
    (
        f"self.model.task != '{task.name}' || !has(self.evaluation) || !has(self.evaluation.gates) "
        f"|| self.evaluation.gates.all(gate, gate.metric in {list(task.metrics)})",
        f"{task.name} has the metrics {', '.join(task.metrics)}",
    )
    for task in TASKS.values()
]


class LanguageModelSpec(ApiModel):
    """Desired state of the model: its task, data, training, gates and service."""

    model_config = cel(*BUILT_IN_MODEL, *TASK_RULES, *_METRIC_RULES)

    suspend: bool = Field(
        False,
        description="Suspends the running training and starts no version. The version in service keeps serving.",
    )
    model: ModelSource = Field(description="Model to train.")
    data: Data = Field(description="Training and validation data.")
    training: Training = Field(Training(), description="Training parameters.")
    evaluation: Evaluation = Field(Evaluation(), description="Evaluation of each version.")
    storage: Storage = Field(description="Location of the artifacts.")
    import_: Import | None = Field(
        None,
        alias="import",
        description="Import of artifacts, once for each value of `uri` and before any training. Each becomes a version "
        "that is judged by what was measured after its training. One that was trained from the current spec is not "
        "trained again.",
    )
    deployment: DeploymentTemplate = Field(DeploymentTemplate(), description="Template of the Deployment that serves.")
    retraining: Retraining = Field(Retraining(), description="Causes of new versions besides changes of the spec.")
    version_history_limit: int = Field(
        5,
        ge=1,
        le=LONGEST_HISTORY,
        description="Number of newest versions whose artifacts are kept, besides the version in service.",
    )
    promotion: Promotion = Field(Promotion(), description="Choice of the version in service.")


class Version(ApiModel):
    """One version of the model."""

    number: int = Field(description="Number of the version, from 1. Numbers are never reused.")
    state: str = Field(
        description="Training, Accepted, Refused, Failed or Superseded. For display; the other fields are the facts."
    )
    trigger: str = Field(
        description="Cause of the version: Initial, SpecChanged, Retry, Import or the name of a trigger."
    )
    imported: bool = Field(
        False, description="Whether its artifact was found in storage. Such an artifact is never deleted."
    )
    fingerprint: str = Field(description="Hash of the model, data and training parameters.")
    run_fingerprint: str | None = Field(
        None,
        description="Hash of the parameters that don't shape the model: storage, compute, runtime, checkpoints, "
        "retries.",
    )
    training_job: str = Field(description="Name of its TrainingJob.")
    uri: str = Field(description="Location of its artifact.")
    credentials: Credentials | None = Field(None, description="Secret with the credentials for the location.")
    artifact: Artifact | None = Field(None, description="Artifact of the training.")
    artifact_state: str | None = Field(
        None,
        description="Kept, Deleting or Deleted; Released if an imported artifact is no longer kept but left in its "
        "place; Missing if a serving pod did not find it. Not set while there is nothing to keep or delete.",
    )
    metrics: Metrics = Field({}, description="Metrics on the held-out set.")
    judged_against: int | None = Field(None, description="Number of the version in service at the start.")
    comparison: Comparison | None = Field(None, description="Version in service at the start, on that held-out set.")
    data_digest: str | None = Field(None, description="SHA-256 over the examples of its training and its held-out set.")
    start_time: datetime = Field(description="Start of the version.")
    completion_time: datetime | None = Field(None, description="End of its training.")
    passed_gates: bool | None = Field(None, description="Whether it passed all gates; not set if it wasn't judged.")
    superseded_time: datetime | None = Field(None, description="Time at which a newer spec ended its training.")
    message: str | None = Field(None, description="Explanation of the outcome.")

    @property
    def in_training(self) -> bool:
        return self.completion_time is None

    @property
    def is_untrained(self) -> bool:
        """Whether it ended without a model: it failed, or was superseded."""
        return not self.in_training and self.passed_gates is None

    @property
    def is_kept(self) -> bool:
        """Whether it has an artifact that stays."""
        return self.artifact is not None and self.artifact_state == "Kept"

    @property
    def is_dropped(self) -> bool:
        """Whether its artifact, and all else that its training left, is deleted, being deleted or released."""
        return self.artifact_state in ("Deleting", "Deleted", "Released")


class ImportStatus(ApiModel):
    """Last import."""

    uri: str = Field(description="Imported location.")
    completion_time: datetime = Field(description="End of the import.")
    message: str = Field(description="Explanation of the outcome.")


class ScheduleStatus(ApiModel):
    """Observed state of a schedule."""

    evaluated_until_time: datetime | None = Field(None, description="Times up to this one are done with.")


class MetricStatus(ApiModel):
    """Observed state of a metric."""

    breach_start_time: datetime | None = Field(None, description="Start of the current time out of bounds.")
    missing: str | None = Field(None, description="Reason why the metric has no value.")


class RequestStatus(ApiModel):
    """Observed state of a request."""

    value: str | None = Field(None, description="Last observed value.")
    after_version: int | None = Field(
        None, description="Newest version at the time of the request. Any later version satisfies it."
    )


class TriggerStatus(ApiModel):
    """Observed state of a trigger."""

    name: str = Field(description="Name of the trigger.")
    fingerprint: str | None = Field(None, description="Hash of its spec; a change resets the observed state.")
    held: str | None = Field(None, description="Reason why a due trigger starts no version.")
    last_fire_time: datetime | None = Field(None, description="Last start of a version.")
    schedule: ScheduleStatus | None = Field(None, description="Observed state of a schedule.")
    metric: MetricStatus | None = Field(None, description="Observed state of a metric.")
    request: RequestStatus | None = Field(None, description="Observed state of a request.")


class LanguageModelStatus(StatusWithDecisions):
    """Observed state of the model."""

    conditions: Conditions = Field(
        [], description="Ready, Reconciling, Stalled, Trained, Promoted, Served and Suspended."
    )
    last_version: int = Field(0, description="Number of the newest version.")
    serving_version: int | None = Field(None, description="Number of the version in service.")
    versions: Annotated[
        list[Version], Field(max_length=LONGEST_HISTORY + HISTORY_MARGIN, json_schema_extra=list_map("number"))
    ] = Field([], description="Versions, the oldest first.")
    triggers: Annotated[list[TriggerStatus], Field(max_length=16, json_schema_extra=list_map("name"))] = Field(
        [], description="Observed state of the triggers."
    )
    triggered_run_times: Annotated[list[datetime], Field(max_length=1000)] = Field(
        [], description="Starts of triggered versions within the window of cooldown and maxRunsPerDay."
    )
    import_: ImportStatus | None = Field(None, alias="import", description="Last import.")
    url: str | None = Field(None, description="URL of the model inside the cluster.")


class LanguageModel(Kind):
    """The life of one model: data, training, gates, versions, service, retraining."""

    PLURAL: ClassVar[str] = "languagemodels"
    KIND: ClassVar[str] = "LanguageModel"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("lm",)
    LONGEST_NAME: ClassVar[int] = 40
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column(name="Serving", type="integer", json_path=".status.servingVersion"),
        Column(name="Newest", type="integer", json_path=".status.lastVersion"),
        Column(name="Ready", type="string", json_path='.status.conditions[?(@.type=="Ready")].status'),
        Column(name="Reason", type="string", json_path='.status.conditions[?(@.type=="Ready")].reason'),
        Column(name="Stalled", type="string", json_path='.status.conditions[?(@.type=="Stalled")].status'),
        Column(name="Age", type="date", json_path=".metadata.creationTimestamp"),
        Column(name="Task", type="string", json_path=".spec.model.task", priority=1),
        Column(name="Suspend", type="boolean", json_path=".spec.suspend", priority=1),
        Column(name="URL", type="string", json_path=".status.url", priority=1),
    )

    spec: LanguageModelSpec
    status: LanguageModelStatus = LanguageModelStatus()

    def credentials_of(self, version: Version) -> Credentials | None:
        """Credentials of the spec; for a version in a former storage, those recorded with the version."""
        storage = self.spec.storage
        current = version.uri.startswith(f"{storage.uri.rstrip('/')}/")
        return storage.credentials if current else version.credentials

    def artifact_of(self, version: Version) -> VersionArtifact:
        """The artifact of a version that is_kept, and how it is read."""
        assert version.artifact
        return VersionArtifact(
            version=version.number,
            uri=version.artifact.uri,
            digest=version.artifact.digest,
            credentials=self.credentials_of(version),
        )
