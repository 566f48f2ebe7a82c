"""Sequences that are decoded together by a network without a cache: each step reads the last tokens again.

Our own networks (perennial_networks) are small, and no place in them depends on a later one, so rows are padded on the
right and nothing has to be masked.
"""

from collections.abc import Collection, Sequence
from typing import Generic

import torch
from torch import Tensor
from transformers import PreTrainedModel

from perennial_serving.generation.batch import R


class UncachedBatch(Generic[R]):
    """The rows, and of each the tokens that the next one is predicted from."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.rows: list[R] = []
        self._model = model
        self._read: list[list[int]] = []

    def join(self, rows: Sequence[R]) -> Tensor:
        """Adds new rows; returns logits [new rows, vocabulary] for a first token."""
        read = [list(row.prompt) for row in rows]
        logits = self._forward(read)
        self.rows.extend(rows)
        self._read.extend(read)
        return logits

    def advance(self) -> Tensor:
        """Reads the last token of every row; returns logits [rows, vocabulary] for the next one."""
        for row, read in zip(self.rows, self._read, strict=True):
            read.append(row.last)
        return self._forward(self._read)

    def leave(self, gone: Collection[R]) -> None:
        """Removes rows."""
        kept = [(row, read) for row, read in zip(self.rows, self._read, strict=True) if row not in gone]
        self.rows = [row for row, _ in kept]
        self._read = [read for _, read in kept]

    def _forward(self, read: list[list[int]]) -> Tensor:
        longest = max(map(len, read))
        tokens = [row + [0] * (longest - len(row)) for row in read]
        logits = self._model(input_ids=torch.tensor(tokens, device=self._model.device)).logits
        return logits[torch.arange(len(read)), torch.tensor([len(row) - 1 for row in read])]
