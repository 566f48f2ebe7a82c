"""Blocks of a training that LanguageModel and TrainingJob share, as far as job.json has no such block.

The others are those of perennial_contract.job.
"""

from typing import Annotated

from pydantic import Field

from perennial.api.container import Image, Resources
from perennial.api.pod import PodOverlay
from perennial.api.schema import ApiModel
from perennial_contract.job import Architecture, Learning, MlflowRun, Pretrained, Processes, Task, Tuning
from perennial_contract.job.block import cel
from perennial_contract.job.storage import BUCKET_CREDENTIALS, WITH_KEYS, Credentials, ObjectName, StorageUri
from perennial_contract.job.training import EvaluationInterval, Parameters
from perennial_contract.tasks import TASKS

_TRANSFORMERS_ONLY = [task.name for task in TASKS.values() if task.families == ("transformer",)]


class LanguageModelReference(ApiModel):
    """A version of a LanguageModel of the same namespace."""

    name: ObjectName = Field(description="Name of the LanguageModel.")
    version: int | None = Field(
        None,
        ge=1,
        le=1000000,
        description="Number of a version whose artifact is kept. Defaults to the version in service.",
    )


class ModelSource(ApiModel):
    """Model to train."""

    model_config = cel(
        (
            "1 >= (has(self.architecture) ? 1 : 0) + (has(self.pretrained) ? 1 : 0) "
            "+ (has(self.languageModelRef) ? 1 : 0)",
            "at most one of `architecture`, `pretrained`, `languageModelRef` must be set",
        ),
        (
            "!has(self.tuning) || has(self.pretrained) || has(self.languageModelRef)",
            "`pretrained` or `languageModelRef` must be set with `tuning`",
        ),
        (
            "!has(self.architecture) || self.architecture.family == 'transformer' "
            f"|| !(self.task in {_TRANSFORMERS_ONLY})",
            f"`architecture.family` must be 'transformer' for {' and '.join(_TRANSFORMERS_ONLY)}",
        ),
    )

    task: Task = Field(description=f"Task of the model: {', '.join(TASKS)}; a custom command may have other tasks.")
    architecture: Architecture | None = Field(None, description="Shape of a model to train from scratch.")
    pretrained: Pretrained | None = Field(None, description="Model to start from.")
    language_model_ref: LanguageModelReference | None = Field(
        None, description="Version of a LanguageModel to start from; it is resolved once."
    )
    tuning: Tuning | None = Field(None, description="Tuning of the model to start from. Defaults to all weights.")


class Compute(Processes):
    """Nodes and GPUs of the training, and the resources of each pod."""

    gpu_resource: Annotated[
        str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$", max_length=128)
    ] = Field("nvidia.com/gpu", description="Name of the extended resource that gpusPerNode counts.")
    resources: Resources = Field(Resources(), description="Compute resources of the training container of each pod.")


_Word = Annotated[str, Field(max_length=4096)]


class TrainingRuntime(ApiModel):
    """Program that trains: Perennial's own, or with `command` any program in any image (see guides/runtimes)."""

    model_config = cel(
        ("!has(self.command) || has(self.image)", "`image` must be set with `command`"),
        (
            "has(self.command) || (!has(self.args) && !has(self.parameters))",
            "`command` must be set with `args` or `parameters`",
        ),
    )

    image: Image | None = Field(
        None,
        description="Image with Perennial's training package or with `command`. Defaults to the training image of the "
        "operator.",
    )
    command: Annotated[list[_Word], Field(min_length=1, max_length=64)] | None = Field(
        None, description="Custom program, and its first arguments. Defaults to Perennial's training package."
    )
    args: Annotated[list[_Word], Field(max_length=256)] | None = Field(
        None, description="Further arguments of `command`."
    )
    parameters: Parameters | None = Field(
        None, description="Parameters of `command`, passed on unchanged as training.parameters of its configuration."
    )


class Mlflow(MlflowRun):
    """A run in MLflow. Training continues if the server can't be reached."""

    secret_name: ObjectName | None = Field(
        None,
        description="Name of a Secret with MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or with "
        "MLFLOW_TRACKING_TOKEN.",
    )


class Tracking(ApiModel):
    """Experiment tracking."""

    mlflow: Mlflow = Field(description="A run in MLflow for each training.")


# The API server fills in the defaults before it evaluates a rule; only what has none is asked for by has().
_MICRO = "(has(self.hyperparameters.microBatchSize) ? self.hyperparameters.microBatchSize : 1)"
_PROCESSES = "(self.compute.nodes * (self.compute.gpusPerNode > 0 ? self.compute.gpusPerNode : 1))"


class Training(Learning):
    """How the model learns, and where it runs."""

    model_config = cel(
        (
            f"self.hyperparameters.batchSize % ({_PROCESSES} * {_MICRO}) == 0",
            "`batchSize` must be a multiple of the processes (`nodes` times GPUs) times `microBatchSize`",
        ),
    )

    evaluate_every_steps: EvaluationInterval | None = Field(
        None, description="Number of steps between two evaluations. Defaults to a tenth of maxSteps."
    )
    compute: Compute = Field(Compute(), description="Nodes and GPUs, and the resources of each pod.")
    runtime: TrainingRuntime = Field(TrainingRuntime(), description="Program that trains.")
    pod: PodOverlay = Field(
        PodOverlay(), description="Overrides for the pods of the training, and for those that delete its artifact."
    )
    queue_name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=63)] | None = Field(
        None, description="Name of the Kueue LocalQueue that admits the training."
    )
    active_deadline_seconds: int | None = Field(
        None,
        ge=1,
        le=2147483647,
        description="Maximum duration of the training in seconds, including retries; then it fails.",
    )
    tracking: Tracking | None = Field(None, description="Experiment tracking.")
    backoff_limit: int = Field(
        3, ge=0, le=1000, description="Number of retries after a failure; disruptions don't count."
    )

    @property
    def evaluation_interval(self) -> int:
        """Number of steps between two evaluations."""
        return self.evaluate_every_steps or max(1, self.hyperparameters.max_steps // 10)


# Rules on a spec with model and training, for what some tasks and networks do not support.
TASK_RULES = (
    (
        "self.model.task != 'question-answering' || self.training.hyperparameters.labelSmoothing == 0.0",
        "`labelSmoothing` must be 0 for question-answering",
    ),
    (
        "!has(self.model.architecture) || self.model.architecture.family == 'transformer' "
        "|| !self.training.hyperparameters.gradientCheckpointing",
        "`gradientCheckpointing` must be false, unless the family is 'transformer'",
    ),
)


class Storage(ApiModel):
    """Location of the artifacts of a model."""

    model_config = cel(BUCKET_CREDENTIALS)

    uri: StorageUri = Field(
        description="Folder for the artifacts: pvc://claim/folder on a PersistentVolumeClaim of the namespace, or "
        "s3://bucket/folder."
    )
    credentials: Credentials | None = Field(None, description=WITH_KEYS)


_HAS_COMMAND = "has(self.training.runtime.command)"
# Rules on a spec with model and training: only a custom program knows what model it trains.
BUILT_IN_MODEL = (
    (
        f"self.model.task in {list(TASKS)} || {_HAS_COMMAND}",
        f"`model.task` must be one of {', '.join(TASKS)}, unless `training.runtime.command` is set",
    ),
    (
        "has(self.model.architecture) || has(self.model.pretrained) || has(self.model.languageModelRef) "
        f"|| {_HAS_COMMAND}",
        "one of `model.architecture`, `model.pretrained`, `model.languageModelRef` must be set, unless "
        "`training.runtime.command` is set",
    ),
)
