"""The step of text generation: each gives every running request another token."""

import time
from collections.abc import Sequence

from torch import Tensor
from transformers import PreTrainedModel

from perennial_networks import NetworkConfig
from perennial_serving.engine.metrics import Metrics
from perennial_serving.generation.batch import Batch, R
from perennial_serving.generation.cached_batch import CachedBatch
from perennial_serving.generation.generation import Generation
from perennial_serving.generation.sampling import choose
from perennial_serving.generation.uncached_batch import UncachedBatch


def batch_for(model: PreTrainedModel) -> Batch[R]:
    """An empty batch of the kind that suits the model."""
    return UncachedBatch(model) if isinstance(model.config, NetworkConfig) else CachedBatch(model)


class Decoding:
    """Keeps the batch equal to the running requests."""

    def __init__(self, model: PreTrainedModel, metrics: Metrics) -> None:
        self._batch: Batch[Generation] = batch_for(model)
        self._metrics = metrics

    def step(self, running: Sequence[Generation]) -> list[Generation]:
        """Updates the batch to the running requests, and gives each of them another token."""
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


class _WarmUpRow:
    """A row of the warm-up batch."""

    last = 0

    def __init__(self, length: int) -> None:
        self.prompt = [0] * length


def warm_up(model: PreTrainedModel) -> Tensor:
    """Runs two rows through a batch; returns their logits [2, vocabulary]."""
    first, second = _WarmUpRow(1), _WarmUpRow(2)
    batch: Batch[_WarmUpRow] = batch_for(model)
    batch.join([first])
    batch.join([second])
    logits = batch.advance()
    batch.leave([second])
    return logits
