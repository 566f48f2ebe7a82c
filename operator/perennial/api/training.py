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
    Resources,
    StorageUri,
    cel,
    exactly_one,
)

Task = Literal["text-generation"]
_SOURCES = r"file:///|(pvc|configmap|s3)://[^/\s]+/|hf://datasets/[^/\s]+/[^/\s]+/|https://"
SourceUri = Annotated[str, Field(pattern=rf"^({_SOURCES})[^\s]+$", max_length=1024)]
ModelUri = Annotated[str, Field(pattern=r"^((pvc|s3)://[^/\s]+/[^\s]+|hf://[^/\s]+(/[^/\s]+)?)$", max_length=1024)]
_WITH_CREDENTIALS = "Secret with the credentials for s3:// or hf://; without it the pod's own identity counts."
_WITH_KEYS = "Secret with the credentials for s3://; without it the pod's own identity counts."


class Architecture(ApiModel):
    """A model trained from scratch."""

    model_config = cel(
        ("self.hiddenSize % (2 * self.heads) == 0", "hiddenSize must be a multiple of twice the heads"),
    )

    family: Literal["transformer"] = Field("transformer", description="Kind of network.")
    layers: int = Field(4, ge=1, le=256, description="Number of blocks.")
    hidden_size: int = Field(128, ge=8, le=65536, description="Width of the residual stream, in units.")
    heads: int = Field(4, ge=1, le=256, description="Attention heads per block.")
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


class ModelSource(ApiModel):
    """What is trained."""

    model_config = cel(exactly_one("architecture", "pretrained"))

    task: Task = Field(description="What the model is for.")
    architecture: Architecture | None = Field(None, description="Train from scratch a model of this shape.")
    pretrained: Pretrained | None = Field(None, description="Continue from a model that exists.")


class DataSource(ApiModel):
    """Files to learn from: JSON Lines (*.jsonl), CSV, TSV, Parquet, else text with blank lines between examples."""

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


class Fields(ApiModel):
    """Which column is what."""

    text: Annotated[str, Field(min_length=1, max_length=253)] = Field(
        "text", description="Column that holds the text, where a file has columns."
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

    model_config = cel(("self.warmupSteps < self.maxSteps", "warmupSteps must be less than maxSteps"))

    max_steps: int = Field(1000, ge=1, le=100000000, description="Optimiser steps, unless it stops earlier.")
    batch_size: int = Field(16, ge=1, le=65536, description="Sequences of contextLength tokens per step.")
    learning_rate: float = Field(1e-3, gt=0, le=10, description="Peak step size.")
    schedule: Literal["constant", "linear", "cosine"] = Field(
        "cosine", description="How the learning rate falls after the warm-up."
    )
    warmup_steps: int = Field(0, ge=0, le=1000000, description="Steps of linear growth of the learning rate.")
    weight_decay: float = Field(0.1, ge=0, le=1, description="Decoupled weight decay per step.")
    max_gradient_norm: float = Field(1.0, gt=0, le=1000, description="Gradients are clipped to this norm.")
    seed: int = Field(1, ge=0, le=4294967295, description="Seed of everything random.")


class EarlyStopping(ApiModel):
    """Stop when the validation loss no longer falls; the best model is kept."""

    patience: int = Field(3, ge=1, le=1000, description="Evaluations without progress before it stops.")
    min_delta: float = Field(0.0, ge=0, le=1000, description="Smaller falls do not count, in nats per token.")


class Checkpoints(ApiModel):
    """From the last whole checkpoint a killed training goes on."""

    every_steps: int = Field(100, ge=1, le=100000000, description="Steps between two checkpoints.")
    keep: int = Field(2, ge=1, le=100, description="How many are kept.")


class Compute(ApiModel):
    """What a training pod gets."""

    gpus_per_node: int = Field(0, ge=0, le=64, description="GPUs (nvidia.com/gpu) of the pod.")
    resources: Resources = Field(Resources(), description="Requests and limits of the training container.")


class TrainingRuntime(ApiModel):
    """Which image trains."""

    image: Image | None = Field(None, description="Image with Perennial's training package; the operator's by default.")


class Training(ApiModel):
    """How the model learns."""

    hyperparameters: Hyperparameters = Field(Hyperparameters(), description="Parameters of the optimisation.")
    evaluate_every_steps: int | None = Field(
        None, ge=1, le=100000000, description="Steps between two evaluations; a tenth of maxSteps by default."
    )
    early_stopping: EarlyStopping | None = Field(None, description="Remedy for overfitting; off by default.")
    checkpoints: Checkpoints = Field(Checkpoints(), description="How often the state is saved.")
    compute: Compute = Field(Compute(), description="What the pod gets.")
    runtime: TrainingRuntime = Field(TrainingRuntime(), description="Which image trains.")
    retries: int = Field(
        3, ge=0, le=1000, description="How often a failed pod is started again; disruptions do not count."
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


class ServedArtifact(ApiModel):
    """The version in service, judged again on this run's held-out set."""

    model_config = cel(BUCKET_CREDENTIALS)

    version: int = Field(ge=1, le=1000000, description="Its number.")
    uri: ArtifactUri = Field(description="Where it is.")
    digest: Digest = Field(description="SHA-256 of its manifest.")
    credentials: Credentials | None = Field(None, description=_WITH_KEYS)
