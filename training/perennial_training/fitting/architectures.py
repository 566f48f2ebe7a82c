"""A new network for a task: its weights are drawn from the seed."""

from collections.abc import Callable
from typing import Any

from transformers import (
    AutoConfig,
    BertConfig,
    GPTNeoXConfig,
    MarianConfig,
    PreTrainedConfig,
    PreTrainedModel,
    set_seed,
)

from perennial_training.config import Architecture, Family, Task
from perennial_training.preparation import Prepared

Common = dict[str, Any]
Make = Callable[[Architecture, Common], PreTrainedConfig]


def create(task: Task, auto: Any, architecture: Architecture, prepared: Prepared, seed: int) -> PreTrainedModel:
    """`auto` is the Auto class of the task."""
    config = CONFIGS[task, architecture.family](architecture, _common(prepared))
    set_seed(seed)
    return auto.from_config(config)


def _common(prepared: Prepared) -> Common:
    """What the tokenizer and the data decide."""
    vocabulary = prepared.vocabulary
    found: Common = {"vocab_size": vocabulary.size, "dtype": "float32"}
    found |= {"bos_token_id": vocabulary.end, "eos_token_id": vocabulary.end, "pad_token_id": vocabulary.pad}
    found["decoder_start_token_id"] = vocabulary.pad  # Marian's convention; only an encoder-decoder looks at it
    if prepared.labels is not None:
        found["id2label"] = dict(enumerate(prepared.labels))
        found["label2id"] = {label: number for number, label in enumerate(prepared.labels)}
    return found


def _decoder(wanted: Architecture, common: Common) -> PreTrainedConfig:
    """A decoder with rotary positions. In GPT-NeoX `dropout` acts on embeddings, attention and both branches."""
    return GPTNeoXConfig(
        hidden_size=wanted.hidden_size,
        intermediate_size=4 * wanted.hidden_size,
        num_hidden_layers=wanted.layers,
        num_attention_heads=wanted.heads,
        max_position_embeddings=wanted.context_length,
        hidden_dropout=wanted.dropout,
        attention_dropout=wanted.dropout,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 1.0},
        use_parallel_residual=False,
        tie_word_embeddings=False,
        **common,
    )


def _encoder(wanted: Architecture, common: Common) -> PreTrainedConfig:
    """An encoder that sees both sides: BERT (Devlin et al. 2019)."""
    return BertConfig(
        hidden_size=wanted.hidden_size,
        intermediate_size=4 * wanted.hidden_size,
        num_hidden_layers=wanted.layers,
        num_attention_heads=wanted.heads,
        max_position_embeddings=wanted.context_length,
        hidden_dropout_prob=wanted.dropout,
        attention_probs_dropout_prob=wanted.dropout,
        **common,
    )


def _encoder_decoder(wanted: Architecture, common: Common) -> PreTrainedConfig:
    """An encoder and a decoder of so many layers each: Marian, the transformer of Vaswani et al. 2017."""
    return MarianConfig(
        d_model=wanted.hidden_size,
        encoder_ffn_dim=4 * wanted.hidden_size,
        decoder_ffn_dim=4 * wanted.hidden_size,
        encoder_layers=wanted.layers,
        decoder_layers=wanted.layers,
        encoder_attention_heads=wanted.heads,
        decoder_attention_heads=wanted.heads,
        max_position_embeddings=wanted.context_length,
        dropout=wanted.dropout,
        attention_dropout=wanted.dropout,
        activation_function="relu",
        scale_embedding=True,
        init_std=wanted.hidden_size**-0.5,  # Glorot's; at 0.02 narrow embeddings would drown in the positions
        forced_eos_token_id=None,
        decoder_vocab_size=common["vocab_size"],
        **common,
        share_encoder_decoder_embeddings=True,
    )


def _own(family: str) -> Make:
    """One of perennial_networks."""

    def config(wanted: Architecture, common: Common) -> PreTrainedConfig:
        return AutoConfig.for_model(
            f"perennial-{family}",
            hidden_size=wanted.hidden_size,
            num_hidden_layers=wanted.layers,
            max_position_embeddings=wanted.context_length,
            dropout=wanted.dropout,
            **common,
        )

    return config


CONFIGS: dict[tuple[Task, Family], Make] = {
    ("text-generation", "transformer"): _decoder,
    ("text-generation", "rnn"): _own("rnn"),
    ("text-generation", "cnn"): _own("cnn"),
    ("text-generation", "mlp"): _own("mlp"),
    ("sentiment-analysis", "transformer"): _encoder,
    ("sentiment-analysis", "rnn"): _own("rnn"),
    ("sentiment-analysis", "cnn"): _own("cnn"),
    ("sentiment-analysis", "mlp"): _own("mlp"),
    ("translation", "transformer"): _encoder_decoder,
    ("question-answering", "transformer"): _encoder,
}
