"""The steps of text generation: each gives every request that runs another token."""

import time
from collections.abc import Sequence
from typing import Any

from torch import Tensor
from transformers import PreTrainedModel

from perennial_networks import NetworkConfig
from perennial_serving.engine.metrics import Metrics
from perennial_serving.generation.batch import Batch
from perennial_serving.generation.generation import Generation
from perennial_serving.generation.sampling import choose
from perennial_serving.generation.uncached_batch import UncachedBatch

AnyBatch = Batch[Any] | UncachedBatch[Any]


def batch_of(model: PreTrainedModel) -> AnyBatch:
    """An empty batch of a kind that this model can be decoded in."""
    return UncachedBatch(model) if isinstance(model.config, NetworkConfig) else Batch(model)


class Decoding:
    """The batch, and whose rows it holds; it follows what runs."""

    def __init__(self, model: PreTrainedModel, metrics: Metrics) -> None:
        self._batch = batch_of(model)
        self._metrics = metrics

    def step(self, running: Sequence[Generation]) -> list[Generation]:
        """Makes the batch what is running now, and gives each of its rows another token."""
        batch = self._batch
        batch.leave([row for row in batch.rows if row not in running])
        ended: list[Generation] = []
        if newcomers := running[len(batch.rows) :]:
            ended = self._take(newcomers, batch.join(newcomers))
            self._count(newcomers)
            batch.leave(ended)
        if batch.rows:
            ended += self._take(batch.rows, batch.advance())
        return ended

    def _take(self, rows: Sequence[Generation], logits: Tensor) -> list[Generation]:
        tokens = choose(logits, [row.sampler for row in rows])
        self._metrics.generated_tokens.inc(len(rows))
        return [row for row, token in zip(rows, tokens, strict=True) if row.take(token)]

    def _count(self, newcomers: Sequence[Generation]) -> None:
        now = time.perf_counter()
        self._metrics.prompts_read([len(row.prompt) for row in newcomers])
        self._metrics.first_tokens([now - row.submitted for row in newcomers])


class _Trial:
    """A row for the try-out."""

    last = 0

    def __init__(self, length: int) -> None:
        self.prompt = [0] * length


def try_out(model: PreTrainedModel) -> Tensor:
    """Joins, decodes and leaves once; the logits [2, vocabulary] in between."""
    first, second = _Trial(1), _Trial(2)
    batch = batch_of(model)
    batch.join([first])
    batch.join([second])
    logits = batch.advance()
    batch.leave([second])
    return logits
