"""One worker thread that answers requests from a bounded queue, as many at a time as the batch holds.

It takes the requests that run further step by step, whatever a step is for the task. Others join between two steps,
so a short one doesn't wait for a long one to end.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable

import torch

from perennial_serving.engine.metrics import Metrics
from perennial_serving.engine.task import Asked, LoadedModel, Task

log = logging.getLogger(__name__)


class QueueFull(Exception):
    """As many requests wait as may."""


class EngineStopped(Exception):
    """The server ends before this answer did."""


class ComputationFailed(Exception):
    """The model failed on the batch that this request was in; the log says why."""


class Engine:
    """Loads the model on its thread, then answers; `failure` says why loading failed, if it did."""

    def __init__(self, load: Callable[[], Task], max_batch: int, max_waiting: int, metrics: Metrics) -> None:
        self._load = load
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._metrics = metrics
        self._waiting: deque[Asked] = deque()
        self._running: list[Asked] = []
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self.task: Task | None = None
        self.failure: Exception | None = None
        metrics.watch_queue(waiting=lambda: len(self._waiting), running=lambda: len(self._running))

    @property
    def loaded(self) -> LoadedModel | None:
        return self.task.loaded if self.task else None

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def submit(self, asked: Asked) -> None:
        """Queues a request. Raises QueueFull or EngineStopped."""
        with self._changed:
            if self._stopping:
                raise EngineStopped
            if len(self._waiting) >= self._max_waiting:
                raise QueueFull
            self._waiting.append(asked)
            self._changed.notify()

    def cancel(self, asked: Asked) -> None:
        """Frees the request's place; one that has ended already has none."""
        with self._changed:
            asked.cancelled = True
            if asked in self._waiting:
                self._waiting.remove(asked)

    def stop(self) -> None:
        """Ends the thread after its current step; the requests that are still there get EngineStopped."""
        with self._changed:
            self._stopping = True
            for asked in self._running:
                asked.cancelled = True  # a long step is then broken off
            self._changed.notify()

    def join(self, seconds: float) -> None:
        """Waits for the thread to end."""
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self.task = self._load()
        except Exception as error:  # the main thread reports it and ends the process
            self.failure = error
            return
        loaded = self.task.loaded
        self._metrics.model_loaded(loaded.name, loaded.version, loaded.digest)
        with torch.inference_mode():
            self._serve(self.task)

    def _serve(self, task: Task) -> None:
        computation = task.computation(self._max_batch, self._metrics)
        while self._admit():
            try:
                ended = computation.step(self._running)
                self._running = [asked for asked in self._running if asked not in ended]
            except Exception as error:  # the requests to come must still be answered
                log.exception("a batch of %d requests failed", len(self._running))
                failed, self._running = self._running, []
                self._fail(failed, ComputationFailed(type(error).__name__))
                computation = task.computation(self._max_batch, self._metrics)
        with self._changed:
            self._fail([*self._running, *self._waiting], EngineStopped())
            self._running = []
            self._waiting.clear()

    def _admit(self) -> bool:
        """Waits for work and fills the free places with the longest waiting; False where the engine stops."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._waiting or self._running)
            if self._stopping:
                return False
            self._running = [asked for asked in self._running if not asked.cancelled]
            while self._waiting and len(self._running) < self._max_batch:
                self._running.append(self._waiting.popleft())
            return True

    def _fail(self, requests: Iterable[Asked], error: Exception) -> None:
        for asked in requests:
            asked.deliver(error)
