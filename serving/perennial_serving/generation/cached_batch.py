"""A batch with a KV cache.

Rows are padded on the left and share one cache. transformers has continuous batching too (`generate_batch`), but
without a seed per request, and its memory must be allocated beforehand.
"""

import inspect
from collections.abc import Collection, Sequence
from typing import Any, Generic

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import CacheLayerMixin

from perennial_serving.generation.batch import R


class CachedBatch(Generic[R]):
    """The rows, their KV cache (per layer [rows, heads, length, width]) and its mask ([rows, length])."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.rows: list[R] = []
        self._model = model
        self._cache: DynamicCache | None = None
        self._mask = torch.empty(0, 0, dtype=torch.long, device=model.device)
        # Only the logits of the last position are needed; with a large vocabulary the others cost gigabytes.
        parameters = inspect.signature(model.forward).parameters
        self._last_only: dict[str, Any] = {"logits_to_keep": 1} if "logits_to_keep" in parameters else {}

    def join(self, rows: Sequence[R]) -> Tensor:
        """Runs the prompts of new rows and adds them."""
        length = max(len(row.prompt) for row in rows)
        padding = [length - len(row.prompt) for row in rows]
        tokens = [[0] * count + list(row.prompt) for count, row in zip(padding, rows, strict=True)]
        mask = [[0] * count + [1] * (length - count) for count in padding]
        cache = DynamicCache()
        new_mask = self._tensor(mask)
        logits = self._forward(self._tensor(tokens), new_mask, cache)
        self._merge(cache, new_mask)
        self.rows.extend(rows)
        return logits

    def advance(self) -> Tensor:
        """Runs the last token of every row."""
        assert self._cache is not None
        self._mask = pad(self._mask, (0, 1), value=1)
        return self._forward(self._tensor([[row.last] for row in self.rows]), self._mask, self._cache)

    def leave(self, leaving: Collection[R]) -> None:
        """Removes rows, and the columns of padding that only they needed."""
        kept = [index for index, row in enumerate(self.rows) if row not in leaving]
        if len(kept) == len(self.rows):
            return
        self.rows = [self.rows[index] for index in kept]
        if not kept:
            self._cache = None
            return
        mask = self._mask[kept]
        first = int(mask.argmax(dim=1).min())
        self._mask = mask[:, first:]
        self._cache = DynamicCache([(k[kept, :, first:], v[kept, :, first:]) for k, v in _layers(self._cache)])

    def _forward(self, tokens: Tensor, mask: Tensor, cache: DynamicCache) -> Tensor:
        positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, -tokens.shape[1] :]
        logits: Tensor = self._model(
            input_ids=tokens,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            **self._last_only,
        ).logits
        return logits[:, -1]

    def _merge(self, cache: DynamicCache, mask: Tensor) -> None:
        """Appends the cache of new rows; the shorter one is padded on the left."""
        if self._cache is None:
            self._cache, self._mask = cache, mask
            return
        length = max(self._mask.shape[1], mask.shape[1])
        self._mask = torch.cat([_widen(self._mask, length, -1), _widen(mask, length, -1)])
        self._cache = DynamicCache(
            [
                tuple(
                    torch.cat([_widen(old, length, -2), _widen(new, length, -2)])
                    for old, new in zip(*pair, strict=True)
                )
                for pair in zip(_layers(self._cache), _layers(cache), strict=True)
            ]
        )

    def _tensor(self, values: list[list[int]]) -> Tensor:
        return torch.tensor(values, dtype=torch.long, device=self._model.device)


def _layers(cache: DynamicCache | None) -> list[tuple[Tensor, Tensor]]:
    assert cache is not None
    return [_keys_and_values(layer) for layer in cache.layers]


def _keys_and_values(layer: object) -> tuple[Tensor, Tensor]:
    if not isinstance(layer, CacheLayerMixin) or layer.keys is None or layer.values is None:
        raise TypeError(f"{type(layer).__name__} has no keys and values")
    return layer.keys, layer.values


def _widen(tensor: Tensor, length: int, dimension: int) -> Tensor:
    """Pads `tensor` with leading zeros to `length` along its last (-1) or second to last (-2) dimension."""
    return pad(tensor, (0, 0) * (-dimension - 1) + (length - tensor.shape[dimension], 0))
