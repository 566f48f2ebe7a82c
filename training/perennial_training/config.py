"""The configuration of a job (/etc/perennial/job.json), and the only owner of its schema."""

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from perennial_contract import exits, uri
from perennial_contract.tasks import TASKS

MIN_VOCABULARY = 260  # the 256 bytes and the special tokens


def _kind(location: uri.Location) -> str:
    """The key of uri.FORMS: of the hub there are models and datasets."""
    return "hf dataset" if location.scheme == "hf" and location.path else location.scheme


def _of_scheme(*schemes: str) -> AfterValidator:
    """A URI of one of the schemes, with a path in it where the scheme has one."""

    def check(value: str) -> str:
        location = uri.parse(value)
        if _kind(location) not in schemes:
            accepted = ", ".join(uri.FORMS[scheme] for scheme in schemes)
            raise ValueError(f"{value!r} can't be used here; use {accepted}")
        if location.scheme in ("pvc", "s3") and not location.path:
            what = "a claim" if location.scheme == "pvc" else "a bucket"
            raise ValueError(f"{value!r} names {what}, but no path in it; use {uri.FORMS[location.scheme]}")
        return value

    return AfterValidator(check)


DataURI = Annotated[str, _of_scheme("pvc", "configmap", "s3", "hf dataset", "https", "file")]
ModelURI = Annotated[str, _of_scheme("pvc", "s3", "hf")]
ArtifactURI = Annotated[str, _of_scheme("pvc", "s3")]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True, allow_inf_nan=False
    )


class Credentials(_Part):
    """A Secret that is mounted below secrets/: the keys of S3, or the hub's token."""

    secret_name: str = Field(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")


class JobName(_Part):
    namespace: str = Field(min_length=1, max_length=63)
    name: str = Field(min_length=1, max_length=253)
    uid: str = Field(pattern=r"^[A-Za-z0-9][-A-Za-z0-9]{0,63}$")  # also the name of a folder


Task = Literal["text-generation", "translation", "sentiment-analysis", "question-answering"]
Family = Literal["transformer", "rnn", "cnn", "mlp"]


class Architecture(_Part):
    family: Family
    tokenizer: Literal["bpe", "characters"] = "bpe"
    layers: int = Field(ge=1, le=256)
    hidden_size: int = Field(ge=8, le=65536)
    heads: int = Field(ge=1, le=1024)
    context_length: int = Field(ge=8, le=1048576, description="tokens")
    vocabulary_size: int = Field(ge=MIN_VOCABULARY, le=1048576, description="tokens, at most")
    dropout: float = Field(ge=0, lt=1)

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> Self:
        if self.family == "transformer" and self.hidden_size % (2 * self.heads):
            raise ValueError(
                f"hiddenSize {self.hidden_size} must be a multiple of twice the heads ({2 * self.heads}): "
                "each head's share is rotated in pairs"
            )
        return self


class Pretrained(_Part):
    uri: ModelURI
    revision: str | None = Field(default=None, max_length=255, description="branch, tag or commit of an hf model")
    context_length: int | None = Field(default=None, ge=8, description="tokens; the model's own, at most 1024")
    digest: Digest | None = Field(default=None, description="of the manifest of an artifact of ours")
    credentials: Credentials | None = None

    @model_validator(mode="after")
    def _revision_is_of_a_hub(self) -> Self:
        if self.revision is not None and not self.uri.startswith("hf://"):
            raise ValueError(f"revision {self.revision!r} has no meaning for {self.uri}; only hf:// has revisions")
        return self


class Lora(_Part):
    """Low-rank adaptation (Hu et al. 2021): the weights stay, and products of two thin matrices are added to them."""

    rank: int = Field(default=8, ge=1, le=1024)
    alpha: float = Field(default=16.0, gt=0, le=65536)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    keep_adapter: bool = False


class Tuning(_Part):
    lora: Lora


class Model(_Part):
    architecture: Architecture | None = None
    pretrained: Pretrained | None = None
    tuning: Tuning | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.architecture is None) == (self.pretrained is None):
            raise ValueError("give exactly one of architecture and pretrained")
        if self.tuning and not self.pretrained:
            raise ValueError("tuning adapts a model that exists: it needs pretrained")
        return self


class Source(_Part):
    uri: DataURI
    weight: float = Field(default=1.0, gt=0, le=100)
    credentials: Credentials | None = None


class Validation(_Part):
    fraction: float | None = Field(default=None, gt=0, lt=1)
    uri: DataURI | None = None
    credentials: Credentials | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.fraction is None) == (self.uri is None):
            raise ValueError("give exactly one of fraction and uri")
        return self


Column = Annotated[str, Field(min_length=1, max_length=253)]


class Fields(_Part):
    """The column of each role; which roles there are is up to the task (data/roles.py)."""

    text: Column = "text"
    label: Column = "label"
    source: Column = "source"
    target: Column = "target"
    question: Column = "question"
    context: Column = "context"
    answer: Column = "answer"


class Preprocessing(_Part):
    normalize_unicode: Literal["NFC", "NFD", "NFKC", "NFKD"] | None = "NFKC"
    strip_markup: bool = False
    lowercase: bool = False
    min_characters: int = Field(default=20, ge=0)
    max_characters: int | None = Field(default=None, ge=1)
    deduplicate: bool = True
    near_duplicates: float | None = Field(default=None, ge=0.5, le=1, description="Jaccard similarity of 5-grams")


class Augmentation(_Part):
    copies: int = Field(default=1, ge=1, le=10)
    delete_words: float = Field(default=0.1, ge=0, le=0.9, description="probability of each word")
    swap_words: float = Field(default=0.1, ge=0, le=1, description="swaps, as a share of the words")


class Data(_Part):
    train: list[Source] = Field(min_length=1, max_length=1000)
    validation: Validation
    fields: Fields = Fields()
    preprocessing: Preprocessing = Preprocessing()
    augmentation: Augmentation | None = None


class Hyperparameters(_Part):
    max_steps: int = Field(ge=1, le=1_000_000_000)
    batch_size: int = Field(ge=1, le=65536, description="sequences per step of the optimiser")
    micro_batch_size: int | None = Field(default=None, ge=1, description="at once; None: as many as the memory takes")
    learning_rate: float = Field(gt=0, le=10)
    schedule: Literal["cosine", "linear", "constant", "polynomial", "inverseSqrt", "cosineWithRestarts"] = "cosine"
    warmup_steps: int = Field(default=0, ge=0)
    weight_decay: float = Field(default=0.0, ge=0, le=1)
    max_gradient_norm: float = Field(default=1.0, gt=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    gradient_checkpointing: bool = False
    seed: int = Field(default=1, ge=0, lt=2**32)

    @model_validator(mode="after")
    def _warm_up_ends(self) -> Self:
        if self.warmup_steps >= self.max_steps:
            raise ValueError(f"warmupSteps {self.warmup_steps} must be smaller than maxSteps {self.max_steps}")
        return self


class EarlyStopping(_Part):
    patience: int = Field(ge=1, description="evaluations")
    min_delta: float = Field(default=0.0, ge=0, description="nats per token")


class Checkpoints(_Part):
    every_steps: int = Field(ge=1)
    keep: int = Field(ge=1, le=100)


class Compute(_Part):
    """How many processes train together: one on each GPU of each node, or one on each node without any."""

    nodes: int = Field(default=1, ge=1)
    gpus_per_node: int = Field(default=0, ge=0)
    sharding: Literal["FSDP"] | None = None

    @model_validator(mode="after")
    def _shards_are_on_gpus(self) -> Self:
        if self.sharding and not self.gpus_per_node:
            raise ValueError("sharding FSDP needs GPUs: set gpusPerNode, or leave sharding out")
        return self


class Mlflow(_Part):
    """A tracking server. What it wants to know of who asks is in the environment, by MLflow's own names."""

    uri: str = Field(pattern=r"^https?://[^@\s]+$", max_length=1024)
    experiment: str | None = Field(default=None, min_length=1, max_length=253)
    registered_model: str | None = Field(default=None, pattern=r"^[^/:'\"\s]{1,253}$")
    alias: str | None = Field(default=None, pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$", max_length=63)

    @model_validator(mode="after")
    def _an_alias_is_of_a_model(self) -> Self:
        if self.alias and not self.registered_model:
            raise ValueError(f"alias {self.alias!r} needs registeredModel")
        return self


class Tracking(_Part):
    mlflow: Mlflow


class Training(_Part):
    hyperparameters: Hyperparameters
    evaluate_every_steps: int = Field(ge=1)
    early_stopping: EarlyStopping | None = None
    checkpoints: Checkpoints
    compute: Compute = Compute()
    tracking: Tracking | None = None

    @model_validator(mode="after")
    def _batches_have_equal_shares(self) -> Self:
        processes = self.compute.nodes * max(1, self.compute.gpus_per_node)
        wanted = self.hyperparameters
        if wanted.batch_size % (processes * (wanted.micro_batch_size or 1)):
            what = "processes times microBatchSize" if wanted.micro_batch_size else "processes"
            raise ValueError(f"batchSize {wanted.batch_size} must be a multiple of the {processes} {what}")
        return self


class Served(_Part):
    """The version in service, which the new one is compared with."""

    version: int = Field(ge=1)
    uri: ArtifactURI
    digest: Digest
    credentials: Credentials | None = None


class Output(_Part):
    uri: ArtifactURI
    credentials: Credentials | None = None


class Config(_Part):
    schema_version: Literal[1] = Field(alias="schema")
    job: JobName
    task: Task
    model: Model
    data: Data
    training: Training
    compare_with: Served | None = None
    output: Output

    @model_validator(mode="after")
    def _what_a_task_can_do(self) -> Self:
        wanted = self.training.hyperparameters
        if wanted.label_smoothing and self.task == "question-answering":
            raise ValueError("labelSmoothing has no meaning for question-answering; leave it out")
        if (
            wanted.gradient_checkpointing
            and self.model.architecture
            and self.model.architecture.family != "transformer"
        ):
            raise ValueError("gradientCheckpointing is for transformers; leave it out")
        return self

    @model_validator(mode="after")
    def _family_of_the_task(self) -> Self:
        if (made := self.model.architecture) and made.family not in TASKS[self.task].families:
            raise ValueError(f"{self.task} has no {made.family}; use {', '.join(TASKS[self.task].families)}")
        return self

    def document(self) -> dict[str, object]:
        """The configuration as it would be written, every default spelled out."""
        return self.model_dump(mode="json", by_alias=True)

    def digest(self) -> str:
        return f"sha256:{hashlib.sha256(self.model_dump_json(by_alias=True).encode()).hexdigest()}"


def load(path: Path) -> Config:
    """Reads a job's configuration; exits.Failure names each field that is wrong, and why."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise exits.Failure(
            "ConfigurationMissing",
            f"{path} can't be read ({error.strerror}); give the job's configuration with --config FILE",
            exits.BAD_CONFIGURATION,
        ) from None
    try:
        return Config.model_validate_json(content)
    except ValidationError as error:
        complaints = "; ".join(_complaint(dict(entry)) for entry in error.errors())
        raise exits.Failure(
            "BadConfiguration", f"{path.name} is not a valid job: {complaints}", exits.BAD_CONFIGURATION
        ) from None


def _complaint(error: dict[str, Any]) -> str:
    field = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{field} is not a known field"
    message = error["msg"].removeprefix("Value error, ")
    return f"{field}: {message}" if field else message
