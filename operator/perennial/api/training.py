"""How a model is made: what it is, what it learns from and how. Shared by LanguageModel and TrainingJob."""

from typing import Annotated, Literal

from pydantic import Field

from perennial.api.common import (
    BUCKET_CREDENTIALS,
    CREDENTIALS,
    ApiModel,
    ArtifactUri,
    Credentials,
    Digest,
    Image,
    ObjectName,
    PositiveDuration,
    Resources,
    StorageUri,
    cel,
    exactly_one,
)
from perennial.api.pod import PodOverlay
from perennial_contract.tasks import TASKS

_TRANSFORMERS_ONLY = [task.name for task in TASKS.values() if task.families == ("transformer",)]
# What the built-in runtime knows; a command of one's own may have a task of its own.
Task = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$", max_length=63)]
_SOURCES = r"file:///|(pvc|configmap|s3)://[^/\s]+/|hf://datasets/[^/\s]+/[^/\s]+/|https://"
SourceUri = Annotated[str, Field(pattern=rf"^({_SOURCES})[^\s]+$", max_length=1024)]
ModelUri = Annotated[str, Field(pattern=r"^((pvc|s3)://[^/\s]+/[^\s]+|hf://[^/\s]+(/[^/\s]+)?)$", max_length=1024)]
_WITH_CREDENTIALS = "Secret with the credentials for s3:// or hf://; without it the pod's own identity counts."
_WITH_KEYS = "Secret with the credentials for s3://; without it the pod's own identity counts."


class Architecture(ApiModel):
    """A model trained from scratch."""

    model_config = cel(
        (
            "self.family != 'transformer' || self.hiddenSize % (2 * self.heads) == 0",
            "hiddenSize must be a multiple of twice the heads",
        ),
    )

    family: Literal["transformer", "rnn", "cnn", "mlp"] = Field(
        "transformer", description="Kind of network; text-generation and sentiment-analysis have all four."
    )
    tokenizer: Literal["bpe", "characters"] = Field(
        "bpe", description="What a token is: a piece of a word, learned from the data, or a character."
    )
    layers: int = Field(4, ge=1, le=256, description="Number of blocks.")
    hidden_size: int = Field(128, ge=8, le=65536, description="Width of the residual stream, in units.")
    heads: int = Field(4, ge=1, le=256, description="Attention heads per block of a transformer.")
    context_length: int = Field(128, ge=8, le=1048576, description="Longest sequence, in tokens.")
    vocabulary_size: int = Field(
        2048, ge=272, le=1048576, description="Tokens of the BPE vocabulary, the 256 bytes and the specials included."
    )
    dropout: float = Field(0.1, ge=0, lt=1, description="Share of activations dropped while training, 0 to 1.")


class Pretrained(ApiModel):
    """A model to continue from: a folder in the layout of Hugging Face Transformers, weights as safetensors."""

    model_config = cel(("!has(self.revision) || self.uri.startsWith('hf://')", "only hf:// has revisions"), CREDENTIALS)

    uri: ModelUri = Field(
        description="pvc://claim/folder, s3://bucket/folder, or hf://organization/name of the Hugging Face hub."
    )
    revision: Annotated[str, Field(max_length=128)] | None = Field(
        None, description="Commit, tag or branch; hf:// only."
    )
    credentials: Credentials | None = Field(None, description=_WITH_CREDENTIALS)


class Lora(ApiModel):
    """Low-rank adaptation (Hu et al. 2021): the weights stay, thin matrices beside them are learned and then merged."""

    rank: int = Field(8, ge=1, le=1024, description="Width of the matrices.")
    alpha: float = Field(16.0, gt=0, le=65536, description="The matrices' product is scaled by alpha / rank.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of the matrices' inputs dropped while training, 0 to 1.")
    keep_adapter: bool = Field(False, description="Keep the matrices also by themselves, in the artifact's adapter/.")


class Tuning(ApiModel):
    """How a pretrained model is changed; all of its weights by default."""

    lora: Lora = Field(description="Learn thin matrices only.")


class LanguageModelReference(ApiModel):
    """A version of a LanguageModel of the same namespace, to continue from."""

    name: ObjectName = Field(description="Name of the LanguageModel.")
    version: int | None = Field(
        None, ge=1, le=1000000, description="Number of a version whose artifact is kept; the one in service by default."
    )


class ModelSource(ApiModel):
    """What is trained."""

    model_config = cel(
        (
            "1 >= (has(self.architecture) ? 1 : 0) + (has(self.pretrained) ? 1 : 0) "
            "+ (has(self.languageModel) ? 1 : 0)",
            "architecture, pretrained and languageModel exclude each other",
        ),
        (
            "!has(self.tuning) || has(self.pretrained) || has(self.languageModel)",
            "tuning adapts a model that exists: it needs pretrained or languageModel",
        ),
        (
            "!has(self.architecture) || self.architecture.family == 'transformer' "
            f"|| !(self.task in {_TRANSFORMERS_ONLY})",
            "translation and question-answering have only the family transformer",
        ),
    )

    task: Task = Field(description=f"What the model is for: {', '.join(TASKS)}; a command of one's own may add others.")
    architecture: Architecture | None = Field(None, description="Train from scratch a model of this shape.")
    pretrained: Pretrained | None = Field(None, description="Continue from a model that exists.")
    language_model: LanguageModelReference | None = Field(
        None, description="Continue from a version of a LanguageModel; which one, and where it is, is looked up once."
    )
    tuning: Tuning | None = Field(
        None, description="How a model that exists is changed; all of its weights by default."
    )


class DataSource(ApiModel):
    """Files to learn from: JSON Lines (*.jsonl), JSON, CSV, TSV, Parquet; others are text, with blank lines between."""

    model_config = cel(CREDENTIALS)

    uri: SourceUri = Field(
        description="file:///path in the image, pvc://claim/path, configmap://name/key, https://host/path, "
        "s3://bucket/path or hf://datasets/organization/name@revision/path; of the last two, a path that ends in / "
        "means all files below it, and * stands for anything."
    )
    weight: float = Field(
        1.0, gt=0, le=100, description="How often its examples are seen while those of weight 1 are seen once."
    )
    credentials: Credentials | None = Field(None, description=_WITH_CREDENTIALS)


class Validation(ApiModel):
    """The held-out set, on which a version is judged."""

    model_config = cel(
        exactly_one("fraction", "uri"),
        (f"!has(self.credentials) || has(self.uri) && ({CREDENTIALS[0]})", CREDENTIALS[1]),
    )

    fraction: float | None = Field(
        None, gt=0, lt=1, description="Share of the examples held out, 0 to 1, chosen by the hash of their content."
    )
    uri: SourceUri | None = Field(None, description="Files of their own, as in train.")
    credentials: Credentials | None = Field(None, description=_WITH_CREDENTIALS)


ColumnName = Annotated[str, Field(min_length=1, max_length=253)]


class Fields(ApiModel):
    """Which column is what; a task looks at its own."""

    text: ColumnName = Field("text", description="Text: of text-generation and sentiment-analysis.")
    label: ColumnName = Field("label", description="Class of a text, a name or a whole number: of sentiment-analysis.")
    source: ColumnName = Field("source", description="What is translated.")
    target: ColumnName = Field("target", description="Its translation.")
    question: ColumnName = Field("question", description="What is asked: of question-answering.")
    context: ColumnName = Field("context", description="The text that holds the answer.")
    answer: ColumnName = Field(
        "answer", description="The answer as it stands in the context: a text, a list of texts or SQuAD's answers."
    )


class Preprocessing(ApiModel):
    """What is done to each example, in this order."""

    normalize_unicode: Literal["NFC", "NFKC", "None"] = Field("NFC", description="Unicode normalisation form.")
    strip_markup: bool = Field(False, description="Keep only the text of HTML or XML.")
    lowercase: bool = Field(False, description="Make all letters small.")
    min_characters: int = Field(1, ge=0, le=1000000, description="Shorter examples are left out, in characters.")
    max_characters: int | None = Field(
        None, ge=1, le=1000000000, description="Longer examples are left out, in characters."
    )
    deduplicate: bool = Field(True, description="Keep one of several equal examples.")
    near_duplicates: float | None = Field(
        None, ge=0.5, le=1, description="Leave out what is that similar to an earlier example: the estimated Jaccard "
        "similarity of their runs of five words, 0.5 to 1."
    )  # fmt: skip


class Augmentation(ApiModel):
    """More examples to learn from: copies in which some words are missing and some have changed places."""

    copies: int = Field(1, ge=1, le=10, description="Copies of each example that is learnt from.")
    delete_words: float = Field(0.1, ge=0, le=0.9, description="Share of the words that are left out of a copy.")
    swap_words: float = Field(0.1, ge=0, le=1, description="Swaps of two words in a copy, as a share of its words.")


class Data(ApiModel):
    """What the model learns from and is judged on."""

    train: Annotated[list[DataSource], Field(min_length=1, max_length=32)] = Field(description="Files to learn from.")
    validation: Validation = Field(Validation(fraction=0.1), description="The held-out set; 10 % by default.")
    fields: Fields = Field(Fields(), description="Which column is what.")
    preprocessing: Preprocessing = Field(Preprocessing(), description="What is done to each example.")
    augmentation: Augmentation | None = Field(None, description="Remedy for overfitting; off by default.")


class Hyperparameters(ApiModel):
    """Parameters of the optimisation (AdamW on the cross-entropy)."""

    model_config = cel(
        ("self.warmupSteps < self.maxSteps", "warmupSteps must be less than maxSteps"),
    )

    max_steps: int = Field(1000, ge=1, le=100000000, description="Optimiser steps, unless it stops earlier.")
    batch_size: int = Field(16, ge=1, le=65536, description="Sequences per step of the optimiser, over all processes.")
    micro_batch_size: int | None = Field(
        None, ge=1, le=65536, description="Sequences at once; gradients are accumulated up to batchSize. By default as "
        "many as the GPU's memory takes, which is tried out."
    )  # fmt: skip
    learning_rate: float = Field(1e-3, gt=0, le=10, description="Peak step size.")
    schedule: Literal["constant", "linear", "cosine", "polynomial", "inverseSqrt", "cosineWithRestarts"] = Field(
        "cosine",
        description="How the learning rate falls after the warm-up; polynomial: as the square of what is "
        "left, cosineWithRestarts: four times from the top.",
    )
    warmup_steps: int = Field(0, ge=0, le=1000000, description="Steps of linear growth of the learning rate.")
    weight_decay: float = Field(0.1, ge=0, le=1, description="Decoupled weight decay per step.")
    max_gradient_norm: float = Field(1.0, gt=0, le=1000, description="Gradients are clipped to this norm.")
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="Share of the probability spread over all classes; remedy for overfitting."
    )
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        "float32", description="Of the computation; the weights are kept in float32."
    )
    gradient_checkpointing: bool = Field(
        False,
        description="Compute activations again instead of keeping them: less memory, more time. Transformers only.",
    )
    seed: int = Field(1, ge=0, le=4294967295, description="Seed of everything random.")


class EarlyStopping(ApiModel):
    """Stop when the validation loss no longer falls; the best model is kept."""

    patience: int = Field(3, ge=1, le=1000, description="Evaluations without progress before it stops.")
    min_delta: float = Field(0.0, ge=0, le=1000, description="Smaller falls do not count, in nats.")


class Checkpoints(ApiModel):
    """From the last whole checkpoint a killed training goes on."""

    every_steps: int = Field(100, ge=1, le=100000000, description="Steps between two checkpoints.")
    keep: int = Field(2, ge=1, le=100, description="How many are kept.")


class Compute(ApiModel):
    """On how many nodes and GPUs the training runs, and what each pod gets."""

    model_config = cel(
        (
            "self.sharding == 'None' || (self.gpusPerNode > 0 && self.nodes * self.gpusPerNode > 1)",
            "sharding needs several GPUs: gpusPerNode, and nodes or gpusPerNode above 1",
        ),
    )

    nodes: int = Field(1, ge=1, le=1000, description="Pods that train together, each on a node of its own if need be.")
    gpus_per_node: int = Field(
        0, ge=0, le=64, description="GPUs (nvidia.com/gpu) of each pod; a process runs for each, and one without any."
    )
    sharding: Literal["None", "FSDP"] = Field(
        "None",
        description="None: each process holds the whole model (DDP). FSDP: weights, gradients and optimiser state "
        "are split among the processes, for models that no single GPU can hold.",
    )
    resources: Resources = Field(Resources(), description="Requests and limits of the training container of each pod.")


_Word = Annotated[str, Field(max_length=4096)]


class TrainingRuntime(ApiModel):
    """What trains: Perennial's own package, or with `command` any program in any image (docs/guides/runtimes.md)."""

    model_config = cel(
        ("!has(self.command) || has(self.image)", "command needs an image that holds it"),
        (
            "has(self.command) || (!has(self.args) && !has(self.parameters))",
            "args and parameters are for a command of one's own",
        ),
    )

    image: Image | None = Field(
        None, description="Image with Perennial's training package or with command; the operator's by default."
    )
    command: Annotated[list[_Word], Field(min_length=1, max_length=64)] | None = Field(
        None, description="Program that trains instead of Perennial's package, and its first arguments."
    )
    args: Annotated[list[_Word], Field(max_length=256)] | None = Field(
        None, description="Further arguments of command."
    )
    parameters: Annotated[dict[str, Annotated[str, Field(max_length=4096)]], Field(max_length=64)] | None = Field(
        None, description="Handed on to command untouched, as training.parameters of its configuration."
    )


class Mlflow(ApiModel):
    """A run in MLflow. A server that can't be reached stops no training."""

    model_config = cel(("!has(self.alias) || has(self.registeredModel)", "alias needs registeredModel"))

    uri: Annotated[str, Field(pattern=r"^https?://[^@\s]+$", max_length=1024)] = Field(
        description="URL of the tracking server, without user name and password."
    )
    experiment: Annotated[str, Field(min_length=1, max_length=253)] | None = Field(
        None, description="Name of the experiment; NAMESPACE/NAME of the TrainingJob by default."
    )
    registered_model: Annotated[str, Field(pattern=r"^[^/:'\"\s]{1,253}$", max_length=253)] | None = Field(
        None, description="Registered model of which the artifact becomes a version."
    )
    alias: Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$", max_length=63)] | None = Field(
        None, description="Alias that this version gets, such as candidate."
    )
    secret_name: ObjectName | None = Field(
        None, description="Secret with MLFLOW_TRACKING_USERNAME and _PASSWORD, or MLFLOW_TRACKING_TOKEN."
    )


class Tracking(ApiModel):
    """Who is told of the training as it goes."""

    mlflow: Mlflow = Field(description="A run in MLflow for each training.")


# Fields that the user leaves out have their defaults only where their block is given.
_BATCH = "(has(self.hyperparameters) ? self.hyperparameters.batchSize : 16)"
_MICRO = (
    "(has(self.hyperparameters) && has(self.hyperparameters.microBatchSize) ? self.hyperparameters.microBatchSize : 1)"
)
_NODES = "(has(self.compute) ? self.compute.nodes : 1)"
_GPUS = "(has(self.compute) && self.compute.gpusPerNode > 0 ? self.compute.gpusPerNode : 1)"


class Training(ApiModel):
    """How the model learns."""

    model_config = cel(
        (
            f"{_BATCH} % ({_NODES} * {_GPUS} * {_MICRO}) == 0",
            "batchSize must be a multiple of the processes (nodes times GPUs) times microBatchSize",
        ),
    )

    hyperparameters: Hyperparameters = Field(Hyperparameters(), description="Parameters of the optimisation.")
    evaluate_every_steps: int | None = Field(
        None, ge=1, le=100000000, description="Steps between two evaluations; a tenth of maxSteps by default."
    )
    early_stopping: EarlyStopping | None = Field(None, description="Remedy for overfitting; off by default.")
    checkpoints: Checkpoints = Field(Checkpoints(), description="How often the state is saved.")
    compute: Compute = Field(Compute(), description="On how many nodes and GPUs it runs, and what each pod gets.")
    runtime: TrainingRuntime = Field(TrainingRuntime(), description="What trains.")
    pod: PodOverlay = Field(PodOverlay(), description="What is laid over the pods.")
    queue: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=63)] | None = Field(
        None, description="LocalQueue of Kueue, which then says when the training starts."
    )
    deadline: PositiveDuration | None = Field(
        None, description="The training fails when it has run that long in all, retries included."
    )
    tracking: Tracking | None = Field(None, description="Who is told of the training as it goes.")
    retries: int = Field(
        3,
        ge=0,
        le=1000,
        description="How often the training is started again after a failure; disruptions don't count.",
    )


# On a spec that has both model and training: what not every task or network can do.
TASK_RULES = (
    (
        "self.model.task != 'question-answering' || !has(self.training) || !has(self.training.hyperparameters) "
        "|| !has(self.training.hyperparameters.labelSmoothing) || self.training.hyperparameters.labelSmoothing == 0.0",
        "labelSmoothing has no meaning for question-answering",
    ),
    (
        "!has(self.model.architecture) || self.model.architecture.family == 'transformer' || !has(self.training) "
        "|| !has(self.training.hyperparameters) || !has(self.training.hyperparameters.gradientCheckpointing) "
        "|| !self.training.hyperparameters.gradientCheckpointing",
        "gradientCheckpointing is for transformers",
    ),
)


class Storage(ApiModel):
    """Where the artifacts of a model are kept."""

    model_config = cel(BUCKET_CREDENTIALS)

    uri: StorageUri = Field(
        description="pvc://claim/folder: a folder of a PersistentVolumeClaim of the namespace; or s3://bucket/folder."
    )
    credentials: Credentials | None = Field(None, description=_WITH_KEYS)


class Output(ApiModel):
    """Where one artifact goes."""

    model_config = cel(BUCKET_CREDENTIALS)

    uri: ArtifactUri = Field(
        description="pvc://claim/folder or s3://bucket/folder: the folder that becomes the artifact."
    )
    credentials: Credentials | None = Field(None, description=_WITH_KEYS)


class VersionArtifact(ApiModel):
    """The artifact of a version of a LanguageModel."""

    model_config = cel(BUCKET_CREDENTIALS)

    version: int = Field(ge=1, le=1000000, description="Its number.")
    uri: ArtifactUri = Field(description="Where it is.")
    digest: Digest = Field(description="SHA-256 of its manifest.")
    credentials: Credentials | None = Field(None, description=_WITH_KEYS)


_HAS_COMMAND = "(has(self.training) && has(self.training.runtime) && has(self.training.runtime.command))"
# Rules on a spec with model and training: only a program of one's own knows what model it makes.
BUILT_IN_MODEL = (
    (
        f"self.model.task in {list(TASKS)} || {_HAS_COMMAND}",
        f"model.task must be one of {', '.join(TASKS)}, unless training.runtime has a command",
    ),
    (
        "has(self.model.architecture) || has(self.model.pretrained) || has(self.model.languageModel) "
        f"|| {_HAS_COMMAND}",
        "one of model.architecture, model.pretrained and model.languageModel must be set, unless training.runtime has "
        "a command",
    ),
)
