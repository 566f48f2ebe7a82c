"""A new network for a task: its weights are drawn from the seed."""

from collections.abc import Callable
from typing import Any, cast

from transformers import (
    AutoConfig,
    BertConfig,
    GPTNeoXConfig,
    MarianConfig,
    PreTrainedConfig,
    PreTrainedModel,
    set_seed,
)

from perennial_contract.job import Architecture
from perennial_training.prepared import Prepared

Common = dict[str, Any]
Configure = Callable[[Architecture, Common], PreTrainedConfig]


def create(
    auto: Any, configure: Configure, architecture: Architecture, prepared: Prepared[Any], seed: int
) -> PreTrainedModel:
    """`auto` is the Auto class of the task, `configure` its configuration of the architecture's family."""
    config = configure(architecture, _common(prepared))
    set_seed(seed)
    return cast(PreTrainedModel, auto.from_config(config))


def _common(prepared: Prepared[Any]) -> Common:
    """The part that tokenizer and data determine."""
    vocabulary = prepared.vocabulary
    common: Common = {"vocab_size": vocabulary.size, "dtype": "float32"}
    common |= {"bos_token_id": vocabulary.end, "eos_token_id": vocabulary.end, "pad_token_id": vocabulary.pad}
    common["decoder_start_token_id"] = vocabulary.pad  # Marian's convention; only an encoder-decoder reads it
    if prepared.labels is not None:
        common["id2label"] = dict(enumerate(prepared.labels))
        common["label2id"] = {label: number for number, label in enumerate(prepared.labels)}
    return common


def decoder(architecture: Architecture, common: Common) -> PreTrainedConfig:
    """A decoder with rotary positions. In GPT-NeoX `dropout` acts on embeddings, attention and both branches."""
    return GPTNeoXConfig(
        hidden_size=architecture.hidden_size,
        intermediate_size=4 * architecture.hidden_size,
        num_hidden_layers=architecture.layers,
        num_attention_heads=architecture.heads,
        max_position_embeddings=architecture.context_length,
        hidden_dropout=architecture.dropout,
        attention_dropout=architecture.dropout,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 1.0},
        use_parallel_residual=False,
        tie_word_embeddings=False,
        **common,
    )


def encoder(architecture: Architecture, common: Common) -> PreTrainedConfig:
    """A bidirectional encoder: BERT (Devlin et al. 2019)."""
    return BertConfig(
        hidden_size=architecture.hidden_size,
        intermediate_size=4 * architecture.hidden_size,
        num_hidden_layers=architecture.layers,
        num_attention_heads=architecture.heads,
        max_position_embeddings=architecture.context_length,
        hidden_dropout_prob=architecture.dropout,
        attention_probs_dropout_prob=architecture.dropout,
        **common,
    )


def encoder_decoder(architecture: Architecture, common: Common) -> PreTrainedConfig:
    """An encoder and a decoder with that many layers each: Marian, the transformer of Vaswani et al. 2017."""
    return MarianConfig(
        d_model=architecture.hidden_size,
        encoder_ffn_dim=4 * architecture.hidden_size,
        decoder_ffn_dim=4 * architecture.hidden_size,
        encoder_layers=architecture.layers,
        decoder_layers=architecture.layers,
        encoder_attention_heads=architecture.heads,
        decoder_attention_heads=architecture.heads,
        max_position_embeddings=architecture.context_length,
        dropout=architecture.dropout,
        attention_dropout=architecture.dropout,
        activation_function="relu",
        scale_embedding=True,
        init_std=architecture.hidden_size**-0.5,  # Glorot's; at 0.02 narrow embeddings would drown in the positions
        forced_eos_token_id=None,
        decoder_vocab_size=common["vocab_size"],
        **common,
        share_encoder_decoder_embeddings=True,
    )


def own(family: str) -> Configure:
    """One of perennial_networks."""

    def config(architecture: Architecture, common: Common) -> PreTrainedConfig:
        return AutoConfig.for_model(
            f"perennial-{family}",
            hidden_size=architecture.hidden_size,
            num_hidden_layers=architecture.layers,
            max_position_embeddings=architecture.context_length,
            dropout=architecture.dropout,
            **common,
        )

    return config
