"""The work queue of keys: one worker per key at a time, soon after a change, and again at requested times."""

import asyncio
import itertools
import logging
import random
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from perennial.loop import logs

logger = logging.getLogger(__name__)

FIRST_RETRY = 0.5
LONGEST_RETRY = 60.0
SHORTEST_PAUSE = 0.2
LONGEST_PAUSE = 3600.0
GRACE = 60.0

K = TypeVar("K", bound=Hashable)
Work = Callable[[K], Awaitable[float | None]]
# Called with a key that a worker takes, and the seconds since it was added.
Waited = Callable[[K, float], None]


def _ignore(key: Hashable, seconds: float) -> None: ...


class Retry(Exception):
    """The work on a key failed for a known reason and is retried."""

    def __init__(self, message: str, *, soon: bool = False) -> None:
        super().__init__(message)
        self.soon = soon


class Queue(Generic[K]):
    """Coalesces keys for a number of workers.

    work(key) returns the seconds until it is called again (None: only after a change). If it raises, it is called
    again after a back-off that doubles from FIRST_RETRY to LONGEST_RETRY seconds, with jitter.

    Keys that yield let others pass that arrive within GRACE seconds: objects that have a status are reconciled at
    once, even while thousands of others are created.
    """

    def __init__(self, work: Work[K], yields: Callable[[K], bool], waited: Waited[K] = _ignore) -> None:
        self._work = work
        self._yields = yields
        self._waited = waited
        # Ordered by due time, then by arrival.
        self._queue: asyncio.PriorityQueue[tuple[float, int, K | None]] = asyncio.PriorityQueue()
        self._arrivals = itertools.count()
        self._waiting: dict[K, float] = {}
        self._running: set[K] = set()
        self._changed: set[K] = set()
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._failures: dict[K, tuple[int, str]] = {}
        self._workers: list[asyncio.Task[None]] = []
        self._open = True

    @property
    def depth(self) -> int:
        """Number of keys waiting for a worker."""
        return len(self._waiting)

    def start(self, workers: int) -> None:
        """Starts the workers."""
        self._workers = [asyncio.create_task(self._serve(), name=f"worker {i}") for i in range(workers)]

    def add(self, key: K) -> None:
        """Enqueues the key; if a worker has it, once more after that."""
        if timer := self._timers.pop(key, None):
            timer.cancel()
        if key in self._running:
            self._changed.add(key)
        elif self._open and key not in self._waiting:
            self._waiting[key] = time.monotonic()
            self._put(key, GRACE if self._yields(key) else 0.0)

    def _put(self, key: K | None, grace: float) -> None:
        self._queue.put_nowait((time.monotonic() + grace, next(self._arrivals), key))

    def add_after(self, key: K, seconds: float) -> None:
        """Enqueues the key after this many seconds, or at the earlier time of a former call."""
        loop = asyncio.get_running_loop()
        when = loop.time() + min(max(seconds, SHORTEST_PAUSE), LONGEST_PAUSE)
        timer = self._timers.get(key)
        if not self._open or key in self._waiting or (timer and timer.when() <= when):
            return
        if timer:
            timer.cancel()
        self._timers[key] = loop.call_at(when, self.add, key)

    def hasten(self) -> None:
        """Enqueues now each key that waits for a time."""
        for key in list(self._timers):
            self.add(key)

    async def stop(self, seconds: float) -> bool:
        """Accepts no more keys and waits for running work; cancels it after this many seconds (then False)."""
        self._open = False
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        while not self._queue.empty():
            self._queue.get_nowait()
        self._waiting.clear()
        for _ in self._workers:
            self._put(None, 0.0)
        if not self._workers:
            return True
        _, late = await asyncio.wait(self._workers, timeout=seconds)
        for worker in late:
            worker.cancel()
        return not late

    async def _serve(self) -> None:
        while (key := (await self._queue.get())[-1]) is not None:
            if added := self._waiting.pop(key, None):
                self._waited(key, time.monotonic() - added)
            self._running.add(key)
            try:
                pause = await self._attempt(key)
            finally:
                self._running.discard(key)
            if key in self._changed:
                self._changed.discard(key)
                self.add(key)
            elif pause is not None:
                self.add_after(key, pause)

    async def _attempt(self, key: K) -> float | None:
        try:
            pause = await self._work(key)
        except Retry as retry:
            return self._backoff(key, retry)
        except Exception:
            logs.of(logger, key).exception("failed to reconcile")
            return self._backoff(key, Retry("an unexpected error"))
        self._failures.pop(key, None)
        return pause

    def _backoff(self, key: K, retry: Retry) -> float:
        failures, last_message = self._failures.get(key, (0, ""))
        self._failures[key] = failures + 1, str(retry)
        pause = min(LONGEST_RETRY, FIRST_RETRY * 2.0 ** min(failures, 16)) * random.uniform(0.5, 1)
        level = logging.DEBUG if retry.soon or str(retry) == last_message else logging.WARNING
        logs.of(logger, key).log(level, "%s; retrying in %.1f s", retry, pause)
        return pause
