"""One worker thread that answers requests from a bounded queue, as many at a time as the batch holds.

Requests join the running batch between two steps, so a short one doesn't wait for a long one to end.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from perennial_serving.generation import Generation
from perennial_serving.metrics import Metrics
from perennial_serving.model import AnyBatch, LoadedModel
from perennial_serving.sampling import choose

log = logging.getLogger(__name__)


class QueueFull(Exception):
    """As many requests wait as may."""


class EngineStopped(Exception):
    """The server ends before this answer did."""


class GenerationFailed(Exception):
    """The model failed on the batch that this request was in; the log says why."""


class Engine:
    """Loads the model on its thread, then answers; `failure` says why loading failed, if it did."""

    def __init__(
        self,
        load: Callable[[], LoadedModel],
        max_batch: int,
        max_waiting: int,
        metrics: Metrics,
    ) -> None:
        self._load = load
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._metrics = metrics
        self._waiting: deque[Generation] = deque()
        self._running: list[Generation] = []
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self.loaded: LoadedModel | None = None
        self.failure: Exception | None = None
        metrics.watch_queue(waiting=lambda: len(self._waiting), running=lambda: len(self._running))

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def submit(self, generation: Generation) -> None:
        """Queues a request. Raises QueueFull or EngineStopped."""
        with self._changed:
            if self._stopping:
                raise EngineStopped
            if len(self._waiting) >= self._max_waiting:
                raise QueueFull
            self._waiting.append(generation)
            self._changed.notify()

    def cancel(self, generation: Generation) -> None:
        """Frees the request's place; one that has ended already has none."""
        with self._changed:
            generation.cancelled = True
            if generation in self._waiting:
                self._waiting.remove(generation)

    def stop(self) -> None:
        """Ends the thread after its current step; the requests that are still there get EngineStopped."""
        with self._changed:
            self._stopping = True
            self._changed.notify()

    def join(self, seconds: float) -> None:
        """Waits for the thread to end."""
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self.loaded = self._load()
        except Exception as error:  # the main thread reports it and ends the process
            self.failure = error
            return
        self._metrics.model_loaded(self.loaded.name, self.loaded.version, self.loaded.digest)
        with torch.inference_mode():
            self._serve(self.loaded)

    def _serve(self, loaded: LoadedModel) -> None:
        batch = loaded.batch()
        while self._admit():
            try:
                self._step(batch)
            except Exception as error:  # the requests to come must still be answered
                log.exception("a batch of %d requests failed", len(self._running))
                self._fail(self._running, GenerationFailed(type(error).__name__))
                self._running = []
                batch = loaded.batch()
        with self._changed:
            self._fail([*self._running, *self._waiting], EngineStopped())
            self._running = []
            self._waiting.clear()

    def _admit(self) -> bool:
        """Waits for work and fills the free places with the longest waiting; False where the engine stops."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._waiting or self._running)
            self._running = [generation for generation in self._running if not generation.cancelled]
            while self._waiting and len(self._running) < self._max_batch:
                self._running.append(self._waiting.popleft())
            return not self._stopping

    def _step(self, batch: AnyBatch) -> None:
        """Makes the batch what is running now, and gives each of its rows another token."""
        self._drop_ended(batch)
        if newcomers := self._running[len(batch.rows) :]:
            self._take(newcomers, batch.join(newcomers))
            now = time.perf_counter()
            self._metrics.prompts_read([len(row.prompt) for row in newcomers])
            self._metrics.first_tokens([now - row.submitted for row in newcomers])
            self._drop_ended(batch)
        if batch.rows:
            self._take(batch.rows, batch.advance())

    def _drop_ended(self, batch: AnyBatch) -> None:
        batch.leave([row for row in batch.rows if row not in self._running])

    def _take(self, rows: Sequence[Generation], logits: Tensor) -> None:
        tokens = choose(logits, [row.sampler for row in rows])
        self._metrics.generated_tokens.inc(len(rows))
        ended = [row for row, token in zip(rows, tokens, strict=True) if row.take(token)]
        self._running = [row for row in self._running if row not in ended]

    def _fail(self, generations: Iterable[Generation], error: Exception) -> None:
        for generation in generations:
            generation.deliver(error)
