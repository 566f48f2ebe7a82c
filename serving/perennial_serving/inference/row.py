"""A row of token ids, and how several become one batch."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel


@dataclass(frozen=True, eq=False)
class Row:
    """`ids` [tokens] of the input `number` or a part of it; `limit`: tokens to write at most."""

    ids: Tensor
    number: int
    limit: int = 0


def padded(rows: Sequence[Row], model: PreTrainedModel) -> dict[str, Tensor]:
    """input_ids and attention_mask [rows, longest], padded on the right."""
    pad = getattr(model.config, "pad_token_id", None) or 0
    ids = rectangle([row.ids for row in rows], pad, model)
    return {"input_ids": ids, "attention_mask": rectangle([torch.ones_like(row.ids) for row in rows], 0, model)}


def rectangle(lines: list[Tensor], fill: int, model: PreTrainedModel) -> Tensor:
    """[lines, longest] on the model's device."""
    return pad_sequence(lines, batch_first=True, padding_value=fill).to(model.device)
