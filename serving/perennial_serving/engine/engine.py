"""One worker thread that answers requests from a bounded queue, in batches.

It advances the running requests step by step; the task defines what a step is. Waiting requests join between two
steps, so a short one does not wait for a long one to end.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable

import torch

from perennial_serving.engine.metrics import Metrics
from perennial_serving.engine.task import Computation, EngineRequest, LoadedModel, Task

log = logging.getLogger(__name__)


class QueueFull(Exception):
    """The queue holds its maximum of requests."""


class EngineStopped(Exception):
    """The server shut down before the request ended."""


class ComputationFailed(Exception):
    """The model failed on the batch with this request; the log has the traceback."""


class Engine:
    """Loads the model on its thread, then answers. `failure` is the exception of a failed load."""

    def __init__(
        self, load: Callable[[], Task], max_batch_size: int, max_queued_requests: int, metrics: Metrics
    ) -> None:
        self._load = load
        self._max_batch_size = max_batch_size
        self._max_queued_requests = max_queued_requests
        self._metrics = metrics
        self._waiting: deque[EngineRequest] = deque()
        self._running: list[EngineRequest] = []
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

    def submit(self, request: EngineRequest) -> None:
        """Queues a request. Raises QueueFull or EngineStopped."""
        with self._changed:
            if self._stopping:
                raise EngineStopped
            if len(self._waiting) >= self._max_queued_requests:
                raise QueueFull
            self._waiting.append(request)
            self._changed.notify()

    def cancel(self, request: EngineRequest) -> None:
        """Frees the place of a request; a no-op for one that has ended."""
        with self._changed:
            request.cancelled = True
            if request in self._waiting:
                self._waiting.remove(request)

    def stop(self) -> None:
        """Ends the thread after its current step; unfinished requests get EngineStopped."""
        with self._changed:
            self._stopping = True
            for request in self._running:
                request.cancelled = True  # interrupts a long step
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
        computation: Computation[EngineRequest] = task.computation(self._max_batch_size, self._metrics)
        while self._admit():
            try:
                ended = computation.step(self._running)
                self._running = [request for request in self._running if request not in ended]
            except Exception as error:  # later requests must still be answered
                log.exception("a batch of %d requests failed", len(self._running))
                failed, self._running = self._running, []
                self._fail(failed, ComputationFailed(type(error).__name__))
                computation = task.computation(self._max_batch_size, self._metrics)
        with self._changed:
            self._fail([*self._running, *self._waiting], EngineStopped())
            self._running = []
            self._waiting.clear()

    def _admit(self) -> bool:
        """Waits for work and fills free places from the queue, oldest first. False when the engine stops."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._waiting or self._running)
            if self._stopping:
                return False
            self._running = [request for request in self._running if not request.cancelled]
            while self._waiting and len(self._running) < self._max_batch_size:
                self._running.append(self._waiting.popleft())
            return True

    def _fail(self, requests: Iterable[EngineRequest], error: Exception) -> None:
        for request in requests:
            request.deliver(error)
