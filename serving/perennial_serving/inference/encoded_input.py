"""An input as token ids, and a batch of several."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel


@dataclass(frozen=True, eq=False)
class EncodedInput:
    """`ids` [tokens] of the input at `index` in the request, or of a part of it."""

    ids: Tensor
    index: int
    max_new_tokens: int = 0


def padded(inputs: Sequence[EncodedInput], model: PreTrainedModel) -> dict[str, Tensor]:
    """input_ids and attention_mask [inputs, longest], padded on the right."""
    pad = getattr(model.config, "pad_token_id", None) or 0
    ids = stacked([item.ids for item in inputs], pad, model)
    return {"input_ids": ids, "attention_mask": stacked([torch.ones_like(item.ids) for item in inputs], 0, model)}


def stacked(rows: list[Tensor], padding: int, model: PreTrainedModel) -> Tensor:
    """[rows, longest] on the model's device."""
    return pad_sequence(rows, batch_first=True, padding_value=padding).to(model.device)
