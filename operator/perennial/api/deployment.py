"""Deployment: an artifact in service. Called ModelDeployment in code, to keep it apart from apps/v1."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from perennial.api.common import (
    BUCKET_CREDENTIALS,
    ApiModel,
    ArtifactUri,
    Column,
    Conditions,
    Credentials,
    Decisions,
    Digest,
    Duration,
    Image,
    Kind,
    Query,
    Resources,
    cel,
    list_map,
)
from perennial.api.training import Task

QUEUE_DEPTH = "queue-depth"


class Runtime(ApiModel):
    """What serves the model."""

    name: Literal["transformers"] = Field(
        "transformers",
        description="The built-in server: OpenAI's API for text generation, else that of Hugging Face's client.",
    )
    image: Image | None = Field(None, description="Image with Perennial's serving package; the operator's by default.")
    max_batch: int = Field(8, ge=1, le=1024, description="Requests (or sequences) computed together by a replica.")
    max_waiting: int = Field(256, ge=1, le=100000, description="Requests a replica lets wait; more are refused (429).")
    resources: Resources = Field(Resources(), description="Requests and limits of the serving container.")


class ScalingMetric(ApiModel):
    """A measure of load, summed over the replicas."""

    model_config = cel(
        (
            f"self.name == '{QUEUE_DEPTH}' || has(self.query)",
            f"query is required, except for the built-in metric {QUEUE_DEPTH}",
        ),
        (f"self.name != '{QUEUE_DEPTH}' || !has(self.query)", f"{QUEUE_DEPTH} is built in and takes no query"),
    )

    name: Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$", max_length=63)] = Field(
        description=f"{QUEUE_DEPTH} (requests that wait, from the runtime), or a name for query."
    )
    query: Query | None = Field(None, description="PromQL that yields one number: the load over all replicas.")
    target: float = Field(gt=0, description="Load that one replica should carry, in the metric's unit.")


class Autoscaling(ApiModel):
    """Replicas by metrics, with the semantics of the HorizontalPodAutoscaler (AverageValue)."""

    model_config = cel(("self.minReplicas <= self.maxReplicas", "minReplicas must not exceed maxReplicas"))

    min_replicas: int = Field(1, ge=1, le=10000, description="Never fewer replicas.")
    max_replicas: int = Field(ge=1, le=10000, description="Never more replicas.")
    metrics: Annotated[list[ScalingMetric], Field(min_length=1, max_length=8, json_schema_extra=list_map("name"))] = (
        Field(description="The metric that asks for the most replicas decides.")
    )
    tolerance: float = Field(
        0.1, ge=0, le=1, description="Deviation from the target that changes nothing, as a share of it."
    )
    scale_up_stabilization: Duration = Field(
        "0s", description="Scale up to the least that was asked for during this time."
    )
    scale_down_stabilization: Duration = Field(
        "5m", description="Scale down to the most that was asked for during this time."
    )


class DeploymentTemplate(ApiModel):
    """How a model is served; the part of a Deployment that a LanguageModel leaves to the user."""

    model_config = cel(
        ("!(has(self.replicas) && has(self.autoscaling))", "replicas and autoscaling exclude each other")
    )

    runtime: Runtime = Field(Runtime(), description="What serves the model.")
    replicas: int | None = Field(None, ge=0, le=10000, description="Number of replicas; 1 by default.")
    autoscaling: Autoscaling | None = Field(None, description="Number of replicas by load.")


class ModelReference(ApiModel):
    """The artifact in service."""

    model_config = cel(BUCKET_CREDENTIALS)

    name: Annotated[str, Field(min_length=1, max_length=253)] = Field(
        description="Name that clients ask for, in `model` of the OpenAI API."
    )
    version: int = Field(1, ge=1, le=1000000, description="Number of the version.")
    task: Task = Field("text-generation", description="What the model is for.")
    uri: ArtifactUri = Field(description="The artifact's folder.")
    digest: Digest = Field(description="SHA-256 of the artifact's manifest; anything else is not loaded.")
    credentials: Credentials | None = Field(
        None, description="Secret with the credentials for s3://; without it the pod's own identity counts."
    )


class ModelDeploymentSpec(DeploymentTemplate):
    """An artifact and how it is served."""

    model: ModelReference = Field(description="The artifact in service.")


class Recommendation(ApiModel):
    """The number of replicas that the metrics asked for, from this time on."""

    time: datetime = Field(description="Since when.")
    replicas: int = Field(description="Replicas asked for.")


class AutoscalingStatus(ApiModel):
    """What the autoscaler decided last."""

    desired_replicas: int = Field(description="Replicas decided on.")
    recommendations: Annotated[list[Recommendation], Field(max_length=64)] = Field(
        [], description="What the metrics asked for during the stabilisation windows; one entry per change."
    )


class ModelDeploymentStatus(ApiModel):
    """How the service is."""

    observed_generation: int = Field(0, description="The metadata.generation that this status speaks of.")
    conditions: Conditions = Field([], description="Ready, Reconciling, Stalled, Available, Progressing, Scaling.")
    version: int | None = Field(None, description="Version that all serving replicas have.")
    replicas: int = Field(0, description="Replicas that exist.")
    ready_replicas: int = Field(0, description="Replicas that answer.")
    desired_replicas: int = Field(0, description="Replicas that should be.")
    selector: str | None = Field(None, description="Label selector of the pods, for the scale subresource.")
    url: str | None = Field(None, description="URL inside the cluster, as clients of the API want it.")
    autoscaling: AutoscalingStatus | None = Field(None, description="What the autoscaler decided last.")
    decisions: Decisions = Field([], description="The last decisions.")


class ModelDeployment(Kind):
    """An artifact in service: pods, rolling updates, scaling."""

    PLURAL: ClassVar[str] = "deployments"
    KIND: ClassVar[str] = "Deployment"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("lmd",)
    LONGEST_NAME: ClassVar[int] = 46
    SCALE: ClassVar[dict[str, str]] = {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column(name="Version", type="integer", json_path=".status.version"),
        Column(name="Ready", type="integer", json_path=".status.readyReplicas"),
        Column(name="Desired", type="integer", json_path=".status.desiredReplicas"),
        Column(name="Available", type="string", json_path='.status.conditions[?(@.type=="Available")].status'),
        Column(name="URL", type="string", json_path=".status.url"),
        Column(name="Age", type="date", json_path=".metadata.creationTimestamp"),
        Column(
            name="Reason",
            type="string",
            json_path='.status.conditions[?(@.type=="Ready")].reason',
            priority=1,
        ),
    )

    spec: ModelDeploymentSpec
    status: ModelDeploymentStatus = ModelDeploymentStatus()
