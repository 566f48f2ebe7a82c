"""The operator's process, from its flags to its exit code."""

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Coroutine
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient
from kubernetes.aio.config import ConfigException

from perennial.kube.client import ApiError, Cluster, load_configuration
from perennial.kube.lease import Leadership
from perennial.kube.proxy import proxy_to
from perennial.loop import logs
from perennial.loop.metrics import Metrics
from perennial.process.definitions import wait_for_definitions
from perennial.process.engine import Engine
from perennial.process.health import Health, Server
from perennial.process.settings import Settings, parse

logger = logging.getLogger("perennial")

USER_AGENT = "perennial-operator"


class Fatal(Exception):
    """The process can't continue; the message says why."""


async def _run(settings: Settings) -> None:
    """Runs until SIGTERM; raises Fatal if it can't continue."""
    stop = asyncio.Event()
    _on_signals(stop)
    try:
        configuration = await load_configuration()
    except ConfigException as error:
        raise Fatal(f"no access to a cluster: {error}; set KUBECONFIG, or run in a pod") from error
    client = ApiClient(configuration)
    client.user_agent = USER_AGENT
    leadership = Leadership(configuration, settings.lease_namespace, settings.lease_name, settings.release, USER_AGENT)
    health = Health()
    async with aiohttp.ClientSession(proxy=proxy_to(settings.prometheus_url or "")) as http:
        metrics = Metrics()
        cluster = Cluster(client, lambda: leadership.is_held, metrics.requested)
        engine = Engine(settings, configuration, cluster, http, health, metrics, lambda: _on_signals(stop))
        server = Server(health, metrics.registry, settings.metrics_port)
        try:
            await _serve(server, settings.metrics_port)
            await _unless(stop, _work(cluster, engine, leadership, health, metrics))
        finally:
            await leadership.release()
            await server.stop()
            await leadership.close()
            await client.close()  # type: ignore[no-untyped-call]  # the library has no annotations


async def _serve(server: Server, port: int) -> None:
    try:
        await server.start()
    except OSError as error:
        raise Fatal(f"failed to listen on port {port}: {error}; set --metrics-port") from error


async def _work(cluster: Cluster, engine: Engine, leadership: Leadership, health: Health, metrics: Metrics) -> None:
    """Becomes the leader and works. The Lease is renewed until the end, so that no other replica starts meanwhile."""
    await wait_for_definitions(cluster, health)
    await leadership.acquire()
    health.leads()
    metrics.leads()
    lease = asyncio.create_task(leadership.keep(), name="lease")
    lease.add_done_callback(lambda task: None if task.cancelled() else _exit_at_once())
    try:
        await engine.run()
    except (ApiError, RuntimeError) as error:
        raise Fatal(str(error)) from error
    finally:
        lease.cancel()


def _exit_at_once() -> None:
    """Another replica may be the leader by now, so that no write in progress may complete."""
    logger.critical("lost the Lease; exiting at once")
    logging.shutdown()
    os._exit(1)


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Runs the work until it ends or `stop` is set, which cancels it and waits; raises its error."""
    task = asyncio.create_task(work, name="work")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not task.done():
        task.cancel()
    await asyncio.gather(task, return_exceptions=stop.is_set())


async def _run_and_exit(settings: Settings) -> None:
    """Exits by itself: asyncio would wait for kopf's remaining tasks, which may never end."""
    code = 0
    try:
        await _run(settings)
    except Fatal as error:
        logger.critical("%s", error)
        code = 1
    logging.shutdown()
    os._exit(code)


def _on_signals(stop: asyncio.Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)


def run() -> None:
    """Runs the operator and exits, see __main__."""
    # Times in logs are UTC.
    os.environ["TZ"] = "UTC"
    time.tzset()
    settings = parse(sys.argv[1:], os.environ)
    logs.set_up(settings.log_level, settings.log_format)
    asyncio.run(_run_and_exit(settings))
