"""What config.json says of our own networks."""

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig


@strict
class NetworkConfig(PreTrainedConfig):
    """hidden_size: units of an embedding and of a layer; max_position_embeddings: longest sequence, in tokens."""

    model_type = "perennial"

    vocab_size: int = 2048
    hidden_size: int = 128
    num_hidden_layers: int = 2
    max_position_embeddings: int = 128
    dropout: float | int = 0.1
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None
    pad_token_id: int | None = None
    tie_word_embeddings: bool = True


@strict
class RecurrentConfig(NetworkConfig):
    model_type = "perennial-rnn"


@strict
class ConvolutionalConfig(NetworkConfig):
    """kernel_size: tokens that a layer of the language model sees: the one itself and those before it."""

    model_type = "perennial-cnn"

    kernel_size: int = 4


@strict
class FeedForwardConfig(NetworkConfig):
    """window: tokens from which the language model predicts the next one."""

    model_type = "perennial-mlp"

    window: int = 8
