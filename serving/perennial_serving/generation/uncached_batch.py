"""A batch for networks without a KV cache: each step reads all tokens again.

Our own networks (perennial_networks) are small and causal, so rows are padded on the right and need no mask.
"""

from collections.abc import Collection, Sequence
from typing import Generic

import torch
from torch import Tensor
from transformers import PreTrainedModel

from perennial_serving.generation.batch import R


class UncachedBatch(Generic[R]):
    """The rows, and the tokens that each has read."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.rows: list[R] = []
        self._model = model
        self._read: list[list[int]] = []

    def join(self, rows: Sequence[R]) -> Tensor:
        """Adds rows."""
        read = [list(row.prompt) for row in rows]
        logits = self._forward(read)
        self.rows.extend(rows)
        self._read.extend(read)
        return logits

    def advance(self) -> Tensor:
        """Appends the last token of every row."""
        for row, read in zip(self.rows, self._read, strict=True):
            read.append(row.last)
        return self._forward(self._read)

    def leave(self, leaving: Collection[R]) -> None:
        """Removes rows."""
        kept = [(row, read) for row, read in zip(self.rows, self._read, strict=True) if row not in leaving]
        self.rows = [row for row, _ in kept]
        self._read = [read for _, read in kept]

    def _forward(self, read: list[list[int]]) -> Tensor:
        longest = max(map(len, read))
        tokens = [row + [0] * (longest - len(row)) for row in read]
        logits: Tensor = self._model(input_ids=torch.tensor(tokens, device=self._model.device)).logits
        return logits[torch.arange(len(read)), torch.tensor([len(row) - 1 for row in read])]
