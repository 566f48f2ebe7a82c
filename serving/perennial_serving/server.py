"""The process from start to end: it answers probes while it loads, and drains before it exits.

On SIGTERM it turns unready but keeps accepting requests for a while, because the endpoints of a Service lag behind.
Then it accepts no new connection, finishes running requests, and exits.
"""

import asyncio
import logging
import math
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType

import uvicorn

from perennial_serving.artifact.loading import load
from perennial_serving.engine.engine import Engine
from perennial_serving.engine.metrics import Metrics
from perennial_serving.engine.task import Task
from perennial_serving.http.app import application
from perennial_serving.tasks import TASKS

# Longer than clients and proxies keep idle connections: the side that sends must be the one that closes.
KEEP_ALIVE_SECONDS = 75
# Part of the pod's grace period that is reserved for cutting off endless answers and stopping the engine.
RESERVE_SECONDS = 3
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServeOptions:
    """`grace_seconds` is the pod's grace period; during its first `linger_seconds` requests are still accepted."""

    model: Path
    name: str
    version: str
    host: str
    port: int
    max_batch_size: int
    max_queued_requests: int
    linger_seconds: float
    grace_seconds: float
    api_keys: Path | None


class Server(uvicorn.Server):
    """uvicorn that drains on SIGTERM and then exits with 0."""

    def __init__(self, options: ServeOptions, engine: Engine, metrics: Metrics) -> None:
        apis = [task.api for task in TASKS.values()]
        config = uvicorn.Config(
            application(engine, metrics, apis, options.version, self.draining, options.api_keys),
            host=options.host,
            port=options.port,
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=max(1, math.ceil(options.grace_seconds - options.linger_seconds)),
        )
        super().__init__(config)
        self._options = options
        self._engine = engine
        self._drain_began: float | None = None

    def draining(self) -> bool:
        return self._drain_began is not None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first SIGTERM starts the drain; a second one, or Ctrl-C, ends the lingering at once."""
        if self._drain_began is None:
            self._drain_began = time.monotonic()
            if sig == signal.SIGTERM and self._engine.loaded:
                return
        self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        lingered = self.draining() and self._drained_for() >= self._options.linger_seconds
        self.should_exit = self.should_exit or lingered or not self._engine.alive
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        remaining = self._options.grace_seconds - self._drained_for() - RESERVE_SECONDS
        cutoff = asyncio.get_running_loop().call_later(max(0.0, remaining), self._engine.stop)
        await super().shutdown()
        cutoff.cancel()
        self._engine.stop()

    def _drained_for(self) -> float:
        return 0.0 if self._drain_began is None else time.monotonic() - self._drain_began


def serve(options: ServeOptions) -> None:
    """Serves until SIGTERM. Raises Failure when the model can't be loaded."""
    metrics = Metrics()
    log.info("loading version %s of %s from %s", options.version, options.name, options.model)
    loading: Callable[[], Task] = partial(load, options.model, options.name, options.version)
    engine = Engine(loading, options.max_batch_size, options.max_queued_requests, metrics)
    engine.start()
    Server(options, engine, metrics).run()
    engine.join(RESERVE_SECONDS)
    if engine.failure:
        raise engine.failure
