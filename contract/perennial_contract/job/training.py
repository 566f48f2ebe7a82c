"""The parameters of a training that its result depends on, or that its pods must know."""

from typing import Annotated, Literal

from pydantic import Field

from perennial_contract.job.block import Block, cel

LARGEST_SEED = 2**32 - 1


class Hyperparameters(Block):
    """Parameters of the optimization (AdamW on the cross-entropy)."""

    model_config = cel(
        ("self.warmupSteps < self.maxSteps", "`warmupSteps` must be less than `maxSteps`"),
    )

    max_steps: int = Field(1000, ge=1, le=100000000, description="Maximum number of optimizer steps.")
    batch_size: int = Field(
        16, ge=1, le=65536, description="Number of sequences per optimizer step, over all processes."
    )
    micro_batch_size: int | None = Field(
        None,
        ge=1,
        le=65536,
        description="Number of sequences computed at once; gradients are accumulated up to batchSize. Defaults to the "
        "largest that fits into the GPU's memory, found by trial; with FSDP to all of a process.",
    )
    learning_rate: float = Field(1e-3, gt=0, le=10, description="Peak learning rate: the step size of the optimizer.")
    learning_rate_schedule: Literal[
        "constant", "linear", "cosine", "polynomial", "inverseSqrt", "cosineWithRestarts"
    ] = Field(
        "cosine",
        description="Decay of the learning rate after the warm-up. polynomial: with the square of the remaining "
        "steps; cosineWithRestarts: four times from the peak.",
    )
    warmup_steps: int = Field(0, ge=0, le=1000000, description="Number of steps of linear growth to the peak.")
    weight_decay: float = Field(0.1, ge=0, le=1, description="Decoupled weight decay per step.")
    max_gradient_norm: float = Field(1.0, gt=0, le=1000, description="Norm to which gradients are clipped.")
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="Share of the probability spread over all classes; remedy for overfitting."
    )
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        "float32", description="Precision of the computation; weights are kept in float32."
    )
    gradient_checkpointing: bool = Field(
        False,
        description="Recompute activations instead of storing them: less memory, more time. Transformers only.",
    )
    compile: Literal["Auto", "Always", "Never"] = Field(
        "Auto",
        description="Compilation of the model by torch.compile: faster steps after a slow first one. Auto: on a single "
        "GPU, for text generation by transformers, from 4e16 floating-point operations on (6 x parameters x tokens of "
        "the run).",
    )
    seed: int = Field(1, ge=0, le=LARGEST_SEED, description="Seed of all random numbers.")


class EarlyStopping(Block):
    """Stop when the validation loss no longer improves; the best model is kept."""

    patience: int = Field(3, ge=1, le=1000, description="Number of evaluations without improvement before stopping.")
    min_improvement: float = Field(
        0.0, ge=0, le=1000, description="Minimum improvement of the validation loss, in nats."
    )


class Checkpoints(Block):
    """Checkpoints. An interrupted run resumes from the last complete one."""

    every_steps: int = Field(100, ge=1, le=100000000, description="Number of steps between two checkpoints.")
    history_limit: int = Field(2, ge=1, le=100, description="Number of checkpoints to keep.")


class Processes(Block):
    """Processes that train together: one per GPU of each node, or one per node without GPUs."""

    model_config = cel(
        (
            "self.sharding == 'None' || (self.gpusPerNode > 0 && self.nodes * self.gpusPerNode > 1)",
            "`sharding` must be 'None' without several GPUs: `gpusPerNode`, and `nodes` or `gpusPerNode` above 1",
        ),
    )

    nodes: int = Field(1, ge=1, le=1000, description="Number of pods that train together.")
    gpus_per_node: int = Field(0, ge=0, le=64, description="Number of GPUs per pod; one process runs per GPU.")
    sharding: Literal["None", "FSDP"] = Field(
        "None",
        description="None: each process holds the whole model (DDP). FSDP: weights, gradients and optimizer state are "
        "sharded over the processes, for models that do not fit on one GPU.",
    )

    @property
    def count(self) -> int:
        """Number of processes."""
        return self.nodes * max(1, self.gpus_per_node)


class MlflowRun(Block):
    """A run in MLflow. Training continues if the server can't be reached."""

    model_config = cel(("!has(self.alias) || has(self.registeredModel)", "`registeredModel` must be set with `alias`"))

    uri: Annotated[str, Field(pattern=r"^https?://[^@\s]+$", max_length=1024)] = Field(
        description="URL of the tracking server, without user name and password."
    )
    experiment: Annotated[str, Field(min_length=1, max_length=253)] | None = Field(
        None, description="Name of the experiment. Defaults to NAMESPACE/NAME of the TrainingJob."
    )
    registered_model: Annotated[str, Field(pattern=r"^[^/:'\"\s]{1,253}$", max_length=253)] | None = Field(
        None, description="Name of the registered model that the artifact becomes a version of."
    )
    alias: Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$", max_length=63)] | None = Field(
        None, description="Alias of that version, such as candidate."
    )


class JobTracking(Block):
    """Experiment tracking. Its credentials come from the environment, by MLflow's own names."""

    mlflow: MlflowRun = Field(description="A run in MLflow for each training.")


class Learning(Block):
    """How a model learns."""

    hyperparameters: Hyperparameters = Field(Hyperparameters(), description="Parameters of the optimization.")
    early_stopping: EarlyStopping | None = Field(None, description="Remedy for overfitting; off by default.")
    checkpoints: Checkpoints = Field(Checkpoints(), description="Checkpoints of the training.")


EvaluationInterval = Annotated[int, Field(ge=1, le=100000000)]
Parameters = Annotated[dict[str, Annotated[str, Field(max_length=4096)]], Field(max_length=64)]


class JobTraining(Learning):
    """Training parameters of a job."""

    evaluate_every_steps: EvaluationInterval = Field(description="Number of steps between two evaluations.")
    compute: Processes = Field(Processes(), description="Processes that train together.")
    tracking: JobTracking | None = Field(None, description="Experiment tracking.")
    parameters: Parameters | None = Field(None, description="Parameters of a custom command, passed on unchanged.")
