"""What a row of a batch answers doesn't depend on the others, and is what transformers' own `generate` answers."""

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    PreTrainedConfig,
    PreTrainedModel,
    Qwen3Config,
)

import perennial_networks
from perennial_serving.generation.batch import Batch
from perennial_serving.generation.cached_batch import CachedBatch
from perennial_serving.generation.decoding import batch_for, warm_up

PROMPTS = [[5], [7, 8, 9, 10, 11, 12], [13, 14, 15], list(range(20, 40))]
NEW_TOKENS = 12
SHAPE = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "initializer_range": 0.3,
    "eos_token_id": None,
    "bos_token_id": None,
    "pad_token_id": None,
}
perennial_networks.register()
CONFIGS = {
    "llama": LlamaConfig(**SHAPE),
    "gpt-neox": GPTNeoXConfig(**SHAPE),
    "gpt2": GPT2Config(**(SHAPE | {"n_embd": 32, "n_layer": 2, "n_head": 2})),
    "mistral with a sliding window": MistralConfig(**SHAPE, sliding_window=4),
    "qwen3": Qwen3Config(**SHAPE),
    **{
        f"our own {family}": AutoConfig.for_model(
            f"perennial-{family}", vocab_size=64, hidden_size=32, max_position_embeddings=64
        )
        for family in ("rnn", "cnn", "mlp")
    },
}


class Row:
    def __init__(self, prompt: list[int]) -> None:
        self.prompt = prompt
        self.tokens: list[int] = []

    @property
    def last(self) -> int:
        return self.tokens[-1]


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
@torch.inference_mode()
def test_rows_that_join_and_leave_at_any_time_answer_as_alone(config: PreTrainedConfig) -> None:
    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_config(config).eval()
    rows = [Row(prompt) for prompt in PROMPTS]
    batch: Batch[Row] = batch_for(model)
    take(rows[:2], batch.join(rows[:2]))
    waiting = rows[2:]
    while batch.rows:
        take(batch.rows, batch.advance())
        batch.leave([row for row in batch.rows if len(row.tokens) == NEW_TOKENS])
        if waiting and len(rows[0].tokens) % 4 == 0:
            newcomer = [waiting.pop(0)]
            take(newcomer, batch.join(newcomer))
    assert [row.tokens for row in rows] == [alone(model, prompt) for prompt in PROMPTS]


def test_padding_goes_with_the_row_that_needed_it() -> None:
    batch: CachedBatch[Row] = CachedBatch(AutoModelForCausalLM.from_config(CONFIGS["llama"]).eval())
    long, short = Row(list(range(40))), Row([1, 2])
    batch.join([long, short])
    batch.leave([long])
    assert batch._mask.tolist() == [[1, 1]]
    assert batch._cache is not None
    assert batch._cache.get_seq_length() == 2


@torch.inference_mode()
def test_the_warm_up_accepts_what_can_be_batched() -> None:
    for name in ("gpt-neox", "our own rnn"):
        logits = warm_up(AutoModelForCausalLM.from_config(CONFIGS[name]).eval())
        assert logits.shape == (2, 64)


def take(rows: list[Row], logits: torch.Tensor) -> None:
    for row, token in zip(rows, logits.argmax(-1).tolist(), strict=True):
        row.tokens.append(token)


def alone(model: PreTrainedModel, prompt: list[int]) -> list[int]:
    tokens = torch.tensor([prompt])
    output = model.generate(
        tokens, attention_mask=torch.ones_like(tokens), do_sample=False, max_new_tokens=NEW_TOKENS, pad_token_id=0
    )
    return output[0, len(prompt) :].tolist()
