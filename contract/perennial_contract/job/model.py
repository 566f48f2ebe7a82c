"""The model to train: a shape to train from scratch, or a model to start from and how it is tuned."""

from typing import Annotated, Literal

from pydantic import Field

from perennial_contract.job.block import Block, cel
from perennial_contract.job.storage import CREDENTIALS, IN_ROOT, WITH_CREDENTIALS, Credentials, Digest, ModelUri

# The built-in runtime knows those of perennial_contract.tasks; a custom command may have a task of its own.
Task = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$", max_length=63)]
Family = Literal["transformer", "rnn", "cnn", "mlp"]


class Architecture(Block):
    """A model trained from scratch."""

    model_config = cel(
        (
            "self.family != 'transformer' || self.hiddenSize % (2 * self.heads) == 0",
            "`hiddenSize` must be a multiple of twice `heads`",
        ),
    )

    family: Family = Field(
        "transformer", description="Kind of network. Only text-generation and sentiment-analysis support all four."
    )
    tokenizer: Literal["bpe", "characters"] = Field(
        "bpe", description="Kind of token: bpe: pieces of words, learned from the data; characters: single characters."
    )
    layers: int = Field(4, ge=1, le=256, description="Number of blocks.")
    hidden_size: int = Field(128, ge=8, le=65536, description="Width of the residual stream.")
    heads: int = Field(4, ge=1, le=256, description="Number of attention heads per block of a transformer.")
    context_length: int = Field(128, ge=8, le=1048576, description="Maximum length of a sequence, in tokens.")
    vocabulary_size: int = Field(
        2048,
        ge=272,
        le=1048576,
        description="Maximum number of tokens, including the 256 bytes and the special tokens.",
    )
    dropout: float = Field(0.1, ge=0, lt=1, description="Share of activations dropped during training, 0 to 1.")


class Pretrained(Block):
    """A model to start from: a folder in the layout of Hugging Face Transformers with weights as safetensors."""

    model_config = cel(
        ("!has(self.revision) || self.uri.startsWith('hf://')", "`revision` must only be set for hf://"),
        CREDENTIALS,
        IN_ROOT,
    )

    uri: ModelUri = Field(
        description="Location: pvc://claim/folder, s3://bucket/folder, or hf://organization/name of the Hugging Face "
        "hub."
    )
    revision: Annotated[str, Field(max_length=128)] | None = Field(
        None, description="Commit, tag or branch of a model of the hub."
    )
    credentials: Credentials | None = Field(None, description=WITH_CREDENTIALS)


class StartingModel(Pretrained):
    """The model to start from, as a job gets it."""

    context_length: int | None = Field(
        None,
        ge=8,
        le=1048576,
        description="Maximum length of a sequence in tokens. Defaults to the model's, up to 1024.",
    )
    digest: Digest | None = Field(None, description="SHA-256 of its manifest, if it is an artifact of Perennial.")


class Lora(Block):
    """Low-rank adaptation (Hu et al. 2021): adapters are trained beside frozen weights and merged at the end."""

    rank: int = Field(8, ge=1, le=1024, description="Rank of the adapters.")
    alpha: float = Field(16.0, gt=0, le=65536, description="Scale of the adapters: alpha / rank.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of the adapters' inputs dropped, 0 to 1.")
    keep_adapter: bool = Field(False, description="Keep the adapters also separately, in adapter/ of the artifact.")


class Tuning(Block):
    """Tuning of the model to start from."""

    lora: Lora = Field(description="Train low-rank adapters (LoRA) instead of all weights.")


class JobModel(Block):
    """The model of a job; the built-in runtime wants exactly one of architecture and pretrained."""

    architecture: Architecture | None = Field(None, description="Shape of a model to train from scratch.")
    pretrained: StartingModel | None = Field(None, description="Model to start from.")
    tuning: Tuning | None = Field(None, description="Tuning of the model to start from. Defaults to all weights.")
