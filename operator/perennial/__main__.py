"""The operator's process: `python -m perennial`, see `--help`."""

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Coroutine
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import ConfigException

from perennial import logs, resources
from perennial.apply import Applier
from perennial.cache import Cache
from perennial.cluster import ApiError, Cluster, load_configuration
from perennial.health import Health, Server
from perennial.keys import Key
from perennial.leader import Leadership
from perennial.metrics import Metrics
from perennial.observe import Observer
from perennial.prometheus import Prometheus
from perennial.queue import Queue
from perennial.reconcile import Reconciler
from perennial.resync import Resync
from perennial.settings import Settings, parse
from perennial.watch import Watch

logger = logging.getLogger("perennial")

DRAIN_SECONDS = 10.0
_DEFINITIONS_PERIOD = 5.0


class Operator:
    """The parts of the operator, put together."""

    def __init__(self, settings: Settings, configuration: Configuration, http: aiohttp.ClientSession) -> None:
        self._settings = settings
        self._client = ApiClient(configuration)
        self._client.user_agent = "perennial-operator"
        self._cluster = Cluster(self._client)
        self._leadership = Leadership(configuration, settings.lease_namespace, settings.lease_name)
        cache = Cache()
        self._health = Health()
        self._queue: Queue[Key] = Queue(self._reconcile)
        self._metrics = Metrics(cache, lambda: self._queue.depth)
        self._server = Server(self._health, self._metrics.registry, settings.metrics_port)
        self._watch = Watch(settings, configuration, cache, self._queue.add, self._health.beat)
        self._resync = Resync(cache, self._cluster, settings.namespaces, self._queue.add, self._health)
        prometheus = Prometheus(settings.prometheus_url, http)
        observer = Observer(cache, self._cluster, prometheus, settings.defaults)
        self._reconciler = Reconciler(cache, observer, Applier(cache, self._cluster, self._metrics), self._metrics)

    async def _reconcile(self, key: Key) -> float | None:
        return await self._reconciler.reconcile(key)

    async def run(self, stop: asyncio.Event) -> int:
        """Works until it is stopped (0) or can't go on (1)."""
        await self._server.start()
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            if not await _unless(stopping, self._become_leader()):
                return 0
            return await self._work(stop, stopping)
        finally:
            await self._leadership.release()
            await self._server.stop()
            await self._leadership.close()
            await self._client.close()  # type: ignore[no-untyped-call]  # the library has no annotations

    async def _become_leader(self) -> None:
        await self._wait_for_definitions()
        await self._leadership.acquire()
        self._health.leads()
        self._metrics.leads()

    async def _work(self, stop: asyncio.Event, stopping: "asyncio.Task[bool]") -> int:
        lease = asyncio.create_task(self._leadership.keep(), name="lease")
        resync = asyncio.create_task(self._resync.run(), name="resync")
        self._health.sees_lease = self._watch.sees_lease
        self._queue.start(self._settings.workers)
        watch = asyncio.create_task(self._watch.run(), name="watch")
        await self._watch.started()
        _on_signals(stop)  # kopf has set its own handlers
        done, _ = await asyncio.wait({stopping, lease, watch, resync}, return_when=asyncio.FIRST_COMPLETED)
        if lease in done:
            logger.critical("the Lease is lost; another replica may lead: ending at once")
            logging.shutdown()
            os._exit(1)  # whatever is half done must not be written any more
        code = 0
        if stopping not in done:
            code = 1
            for task in done:
                logger.critical("the %s ended: %s", task.get_name(), task.exception())
        logger.info("stopping: running reconciles get %.0f s to end", DRAIN_SECONDS)
        if not await self._queue.stop(DRAIN_SECONDS):
            logger.warning("some reconciles were broken off; the next leader takes them up")
        self._watch.stop()
        await asyncio.wait({watch}, timeout=3)
        for task in (lease, resync, watch):
            task.cancel()
        return code

    async def _wait_for_definitions(self) -> None:
        """Waits until the API server knows the three kinds, as kopf looks for them only once."""
        wanted = {resource.plural for resource in resources.OWN.values()}
        while True:
            try:
                missing = wanted - await self._cluster.serves(resources.API_VERSION)
                if not missing:
                    return
                logger.warning("the API server does not know %s; apply crds/ first", ", ".join(sorted(missing)))
            except ApiError as error:
                logger.warning("%s", error)
            await asyncio.sleep(_DEFINITIONS_PERIOD)


async def _unless(stopping: "asyncio.Task[bool]", work: Coroutine[Any, Any, None]) -> bool:
    """Whether the work was done before the stop."""
    task = asyncio.ensure_future(work)
    await asyncio.wait({stopping, task}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        await task
        return True
    task.cancel()
    return False


def _on_signals(stop: asyncio.Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)


async def _run(settings: Settings) -> int:
    stop = asyncio.Event()
    _on_signals(stop)
    try:
        configuration = await load_configuration()
    except ConfigException as error:
        logger.critical("no access to a cluster: %s; set KUBECONFIG or run it in a pod", error)
        return 1
    async with aiohttp.ClientSession() as http:
        try:
            return await Operator(settings, configuration, http).run(stop)
        except OSError as error:
            logger.critical("port %d can't be used: %s", settings.metrics_port, error)
            return 1


def main() -> None:
    """Runs the operator and ends the process."""
    os.environ["TZ"] = "UTC"
    time.tzset()
    settings = parse(sys.argv[1:], os.environ)
    logs.set_up(settings.log_level, settings.log_format)
    sys.exit(asyncio.run(_run(settings)))


if __name__ == "__main__":
    main()
