"""The work of the leader: watch -> queue -> observe -> decide -> apply."""

import asyncio
import logging
from collections.abc import Callable

import aiohttp
from kubernetes.aio.client import Configuration

from perennial.kube.cache import Cache
from perennial.kube.client import Cluster
from perennial.kube.keys import Key
from perennial.kube.resync import Resync
from perennial.kube.watch import Scope, Watch
from perennial.loop import clock
from perennial.loop.apply import Applier
from perennial.loop.metrics import Metrics
from perennial.loop.queue import Queue
from perennial.loop.readings.prometheus import Prometheus
from perennial.loop.readings.reader import Reader
from perennial.loop.reconcile import Reconciler, controllers
from perennial.loop.repairs import RepairMemory
from perennial.process.health import Health
from perennial.process.settings import Settings

logger = logging.getLogger(__name__)

DRAIN_SECONDS = 10.0
_WATCH_SECONDS = 3.0


class Engine:
    """Wires the parts of the operator together."""

    def __init__(
        self,
        settings: Settings,
        configuration: Configuration,
        cluster: Cluster,
        http: aiohttp.ClientSession,
        health: Health,
        metrics: Metrics,
        handle_signals: Callable[[], None],
    ) -> None:
        self._workers = settings.workers
        self._cluster = cluster
        self._queue: Queue[Key] = Queue(self._reconcile, lambda key: cache.is_new(key), metrics.waited)
        cache, repairs = Cache(self._queue.add), RepairMemory()
        metrics.describes(cache, repairs, lambda: self._queue.depth)
        self._resync = Resync(cache, cluster, settings.namespaces, settings.resync_seconds, health.compared)
        scope = Scope(settings.namespaces, settings.lease_namespace, settings.lease_name)
        self._watch = Watch(scope, configuration, cache, health.beat, self._resync.listed, handle_signals)
        access = settings.prometheus_access
        prometheus = Prometheus(http, access, metrics.asked)
        self._reader = Reader(settings.prometheus_url, access, prometheus.ask, self._queue.add)
        by_kind = controllers(cache, cluster, self._reader, settings.defaults)
        self._reconciler = Reconciler(cache, by_kind, Applier(cache, cluster, metrics, repairs), metrics)
        health.sees_lease = scope.has_lease

    async def _reconcile(self, key: Key) -> float | None:
        return await self._reconciler.reconcile(key)

    async def run(self) -> None:
        """Works until it is canceled; raises ApiError or RuntimeError if it can't continue."""
        await self._resync.fill()
        self._queue.start(self._workers)
        self._reader.start()
        tasks = {
            asyncio.create_task(self._watch.run(), name="watch"),
            asyncio.create_task(self._resync.run(), name="comparison with the server"),
            asyncio.create_task(clock.watch(self._queue.hasten), name="watch of the clock"),
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                error = task.exception()
                raise RuntimeError(f"{task.get_name()} ended: {error!r}") from error
        finally:
            await self._drain()
            for task in tasks:
                task.cancel()

    async def _drain(self) -> None:
        """Waits for running reconciles; the watch ends last, as kopf then cancels all tasks started since."""
        logger.info("stopping: waiting %.0f s for running reconciles", DRAIN_SECONDS)
        await self._reader.stop()
        if not await self._queue.stop(DRAIN_SECONDS):
            logger.warning("canceled some reconciles; the next leader repeats them")
        await self._watch.stop(_WATCH_SECONDS)
