"""Deployment: a trained model in service. The class is ModelDeployment, since apps/v1 has a Deployment as well."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field

from perennial.api.container import Image, Resources
from perennial.api.duration import Duration
from perennial.api.kind import Column, Kind
from perennial.api.metrics import Query
from perennial.api.pod import FREE_FORM, ObjectName, PodOverlay
from perennial.api.schema import ApiModel, list_map, own_block
from perennial.api.status import Conditions, StatusWithDecisions
from perennial_contract.job import Task
from perennial_contract.job.block import cel
from perennial_contract.job.storage import BUCKET_CREDENTIALS, ArtifactUri, Credentials, Digest

QUEUE_DEPTH = "queue-depth"


class ApiKeys(ApiModel):
    """Keys of the clients."""

    secret_name: ObjectName = Field(
        description="Name of a Secret; each of its entries is the key of one client. Changes reach the pods within a "
        "minute or two, without a rollout."
    )


class TransformersRuntime(ApiModel):
    """Settings of the built-in server."""

    max_batch_size: int = Field(8, ge=1, le=1024, description="Maximum number of sequences computed together.")
    max_queued_requests: int = Field(
        256, ge=1, le=100000, description="Maximum number of queued requests per replica; others get status 429."
    )
    api_keys: ApiKeys | None = Field(
        None, description="Keys of which each request must have one, as `Authorization: Bearer KEY`; none by default."
    )


RuntimeName = Literal["transformers"]


class Runtime(ApiModel):
    """Server of the model: a union by name, with the fields that every runtime has."""

    model_config = cel(*own_block("name", *get_args(RuntimeName)))

    name: RuntimeName = Field(
        "transformers",
        description="Name of the runtime. transformers: the built-in server, with the API of OpenAI for "
        "text-generation and the API of Hugging Face's inference client for all other tasks.",
    )
    image: Image | None = Field(
        None, description="Image of the runtime. Defaults to the serving image of the operator."
    )
    resources: Resources = Field(
        Resources(), description="Compute resources of the containers that fetch and serve the model."
    )
    transformers: TransformersRuntime | None = Field(None, description="Settings of the runtime transformers.")


class ScalingMetric(ApiModel):
    """A measure of load, summed over all replicas."""

    model_config = cel(
        (
            f"self.name == '{QUEUE_DEPTH}' || has(self.query)",
            f"`query` must be set, unless `name` is '{QUEUE_DEPTH}'",
        ),
        (
            f"self.name != '{QUEUE_DEPTH}' || !has(self.query)",
            f"`query` must not be set if `name` is '{QUEUE_DEPTH}', which is built in",
        ),
    )

    name: Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$", max_length=63)] = Field(
        description=f"Name of the metric: {QUEUE_DEPTH} (queued requests, as the runtime reports them), "
        "or any other name for `query`."
    )
    query: Query | None = Field(None, description="PromQL query with a single value: the load of all replicas.")
    target: float = Field(gt=0, description="Target load per replica, in the unit of the metric.")


class Autoscaling(ApiModel):
    """Number of replicas by load, with the semantics of the HorizontalPodAutoscaler (AverageValue)."""

    model_config = cel(("self.minReplicas <= self.maxReplicas", "`minReplicas` must not exceed `maxReplicas`"))

    min_replicas: int = Field(1, ge=1, le=10000, description="Minimum number of replicas.")
    max_replicas: int = Field(ge=1, le=10000, description="Maximum number of replicas.")
    metrics: Annotated[list[ScalingMetric], Field(min_length=1, max_length=8, json_schema_extra=list_map("name"))] = (
        Field(description="Metrics of the load; the one that recommends the most replicas decides.")
    )
    tolerance: float = Field(
        0.1, ge=0, le=1, description="Deviation from the target that causes no scaling, as a fraction of the target."
    )
    scale_up_stabilization: Duration = Field(
        "0s", description="Stabilization window for scaling up: the lowest recommendation in it is used."
    )
    scale_down_stabilization: Duration = Field(
        "5m", description="Stabilization window for scaling down: the highest recommendation in it is used."
    )


class Rollout(ApiModel):
    """How another spec replaces the pods."""

    max_surge: int = Field(
        1,
        ge=0,
        le=1,
        description="Number of pods to start beside the desired ones during a rollout. 0: each pod ends before another "
        "takes its place, for nodes (GPUs) that have no room for both; with one replica the model is then unavailable "
        "meanwhile.",
    )


_FreeForm = Annotated[dict[str, Any], Field(json_schema_extra=FREE_FORM)]


class Peer(ApiModel):
    """Clients by their address, or by labels of their pods and namespaces, as in a NetworkPolicy."""

    model_config = cel(
        (
            "has(self.ipBlock) != (has(self.podSelector) || has(self.namespaceSelector))",
            "either `ipBlock`, or one or both of `podSelector` and `namespaceSelector` must be set",
        )
    )

    pod_selector: _FreeForm | None = Field(
        None, description="Labels of pods, in the namespaces of namespaceSelector, or in the own namespace without it."
    )
    namespace_selector: _FreeForm | None = Field(None, description="Labels of namespaces.")
    ip_block: _FreeForm | None = Field(None, description="Range of addresses: cidr, and except.")


class Network(ApiModel):
    """Who may connect to the pods."""

    allow_from: Annotated[list[Peer], Field(min_length=1, max_length=32)] = Field(
        description="Peers that may connect to the port of the runtime; all others are refused. Prometheus needs the "
        "same port for /metrics."
    )


class DeploymentTemplate(ApiModel):
    """How a LanguageModel is served: the part of its Deployment that is left to the user."""

    model_config = cel(
        ("!(has(self.replicas) && has(self.autoscaling))", "`replicas` must not be set together with `autoscaling`")
    )

    runtime: Runtime = Field(Runtime(), description="Server of the model.")
    replicas: int | None = Field(
        None,
        ge=0,
        le=10000,
        description="Number of replicas. If unset, it is left to the Deployment: 1, or whatever `kubectl scale` or a "
        "HorizontalPodAutoscaler sets there.",
    )
    autoscaling: Autoscaling | None = Field(None, description="Number of replicas by load; off by default.")
    rollout: Rollout = Field(Rollout(), description="How another version or spec replaces the pods.")
    pod: PodOverlay = Field(PodOverlay(), description="Overrides for the serving pods.")
    network: Network | None = Field(None, description="NetworkPolicy of the serving pods; none by default.")


class ModelReference(ApiModel):
    """The artifact in service."""

    model_config = cel(BUCKET_CREDENTIALS)

    name: Annotated[str, Field(min_length=1, max_length=253)] = Field(
        description="Name of the model for clients: `model` of the OpenAI API."
    )
    version: int = Field(1, ge=1, le=1000000, description="Version number.")
    task: Task = Field(description="Task of the model, which decides the API that it is served by.")
    uri: ArtifactUri = Field(description="Folder of the artifact: pvc://claim/folder or s3://bucket/folder.")
    digest: Digest = Field(description="SHA-256 of the artifact's manifest. Any other artifact is refused.")
    credentials: Credentials | None = Field(
        None, description="Secret with the credentials for s3://. Defaults to the identity of the pod."
    )


class ModelDeploymentSpec(ApiModel):
    """Desired state of the deployment."""

    model_config = cel(
        (
            "!has(self.autoscaling) || !has(oldSelf.autoscaling) || self.replicas == oldSelf.replicas",
            "`replicas` must not change while `autoscaling` is set",
        ),
    )

    model: ModelReference = Field(description="The artifact in service.")
    runtime: Runtime = Field(Runtime(), description="Server of the model.")
    replicas: int = Field(
        1,
        ge=0,
        le=10000,
        description="Desired number of replicas; `kubectl scale` and the HorizontalPodAutoscaler set it. With "
        "`autoscaling` it is the number that a new Deployment starts with, and is not used afterwards.",
    )
    autoscaling: Autoscaling | None = Field(None, description="Number of replicas by load; off by default.")
    rollout: Rollout = Field(Rollout(), description="How another spec replaces the pods.")
    pod: PodOverlay = Field(PodOverlay(), description="Overrides for the pods.")
    network: Network | None = Field(None, description="NetworkPolicy of the pods; none by default.")


class Recommendation(ApiModel):
    """Number of replicas that the metrics recommended, from a time on."""

    start_time: datetime = Field(description="When the recommendation began.")
    replicas: int = Field(description="Recommended number of replicas.")


class AutoscalingStatus(ApiModel):
    """Last decision of the autoscaler."""

    desired_replicas: int = Field(description="Desired number of replicas.")
    recommendations: Annotated[list[Recommendation], Field(max_length=64)] = Field(
        [], description="Recommendations within the stabilization windows; one entry per change."
    )


class ModelDeploymentStatus(StatusWithDecisions):
    """Observed state of the deployment."""

    conditions: Conditions = Field(
        [], description="Ready, Reconciling, Stalled, Available, Progressing, UpToDate, Scaling."
    )
    version: int | None = Field(None, description="Version that all replicas serve.")
    replicas: int = Field(0, description="Number of replicas, ready or not.")
    ready_replicas: int = Field(0, description="Number of ready replicas.")
    desired_replicas: int = Field(0, description="Desired number of replicas.")
    selector: str | None = Field(None, description="Label selector of the pods, for the scale subresource.")
    url: str | None = Field(None, description="URL inside the cluster, as clients expect it.")
    autoscaling: AutoscalingStatus | None = Field(None, description="Last decision of the autoscaler.")


class ModelDeployment(Kind):
    """Deployment serves a trained model: it runs its pods, rolls out new versions and scales them by load."""

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
        Column(name="Reason", type="string", json_path='.status.conditions[?(@.type=="Ready")].reason'),
        Column(name="Age", type="date", json_path=".metadata.creationTimestamp"),
        Column(name="URL", type="string", json_path=".status.url", priority=1),
    )

    spec: ModelDeploymentSpec
    status: ModelDeploymentStatus = ModelDeploymentStatus()
