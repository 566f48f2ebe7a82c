"""The network: a new one from its architecture, or one that was saved."""

from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedModel, set_seed

from perennial_artifact.exits import BAD_DATA, Failure
from perennial_training.config import Architecture
from perennial_training.tokens import PAD, Vocabulary


def create(architecture: Architecture, vocabulary: Vocabulary, seed: int) -> PreTrainedModel:
    """A decoder with rotary positions, its weights drawn from the seed.

    GPT-NeoX, because in it `dropout` acts on embeddings, attention and both residual branches.
    """
    set_seed(seed)
    config = GPTNeoXConfig(
        vocab_size=vocabulary.tokenizer.get_vocab_size(),
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
        bos_token_id=vocabulary.end,
        eos_token_id=vocabulary.end,
        pad_token_id=vocabulary.tokenizer.token_to_id(PAD),
        dtype="float32",
    )
    return GPTNeoXForCausalLM(config)


def load(folder: Path) -> PreTrainedModel:
    """A saved model as float32: safetensors only, and no code from its folder. Raises exits.Failure."""
    try:
        return AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, trust_remote_code=False, local_files_only=True
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise Failure("UnknownModel", f"the model in {folder} can't be loaded: {reason}", BAD_DATA) from None
