"""The watch, an adapter of kopf: it feeds the cache, which enqueues the affected keys. No other module imports kopf.

kopf writes nothing and adds no finalizer.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import kopf
from kubernetes.aio.client import Configuration

from perennial.decide.labels import MANAGED_BY
from perennial.kube.cache import Cache, version
from perennial.kube.resources import CHILDREN, LEASE, OWN, WATCHED, Resource

logger = logging.getLogger(__name__)

SELECTOR = ",".join(f"{name}={value}" for name, value in MANAGED_BY.items())
# For kopf's peering, which is off. By default kopf asks for the user's name, which the ids of OpenShift do not have.
_IDENTITY: Any = "perennial"
_Name = tuple[str, str, str]


@dataclass(frozen=True)
class Scope:
    """The watched namespaces (empty: the whole cluster), and the Lease of this operator."""

    namespaces: tuple[str, ...]
    lease_namespace: str
    lease_name: str

    @property
    def has_lease(self) -> bool:
        """Whether the Lease is in a watched namespace."""
        return not self.namespaces or self.lease_namespace in self.namespaces


class Watch:
    """Feeds the cache; calls `beat` for each renewal of the Lease.

    It calls `listed` for each object from a (re)list: deletions before the list were not reported.
    It calls `handle_signals` once kopf has installed its own signal handlers, to replace them.
    """

    def __init__(
        self, scope: Scope, configuration: Configuration, cache: Cache,
        beat: Callable[[], None], listed: Callable[[], None], handle_signals: Callable[[], None],
    ) -> None:  # fmt: skip
        self._scope = scope
        self._configuration = configuration
        self._cache = cache
        self._beat = beat
        self._listed = listed
        self._handle_signals = handle_signals
        self._stop = asyncio.Event()
        self._ended = asyncio.Event()

    async def run(self) -> None:
        """Watches until stop(); raises the error that ends it earlier."""
        others = asyncio.all_tasks()
        try:
            tasks = await kopf.spawn_tasks(
                registry=self._registry(),
                settings=_settings(self._scope),
                identity=_IDENTITY,
                standalone=True,
                clusterwide=not self._scope.namespaces,
                namespaces=self._scope.namespaces,
                stop_flag=self._stop,
            )
            self._handle_signals()  # kopf has just installed its own
            running = asyncio.create_task(kopf.run_tasks(tasks, ignored=others))
            await asyncio.wait([*tasks, running], return_when=asyncio.FIRST_EXCEPTION)
            for task in tasks:
                if task.done() and not task.cancelled():
                    task.result()  # raises its error; the other tasks may then wait for one another forever
            await running
        finally:
            self._ended.set()

    async def stop(self, seconds: float) -> None:
        """Makes run() return, and waits at most this many seconds for it."""
        self._stop.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):  # not wait_for(): kopf would wait for its task
                await self._ended.wait()

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        kopf.on.login(registry=registry)(self._login)
        for resource in WATCHED:
            kopf.on.event(*_name(resource), id=resource.plural, registry=registry)(self._happened)
        if self._scope.has_lease:
            kopf.on.event(*_name(LEASE), id="lease", registry=registry)(self._renewed)
        return registry

    async def _happened(self, event: Any, **_: Any) -> None:
        manifest = event["object"]
        if event["type"] is None:
            self._listed()
        if event["type"] == "DELETED":
            self._cache.remove(manifest["metadata"]["uid"], version(manifest))
        else:
            self._cache.put(manifest)

    async def _renewed(self, **_: Any) -> None:
        self._beat()

    async def _login(self, **_: Any) -> kopf.ConnectionInfo:
        """The credentials of the writing client; called again once a token has expired."""
        access = self._configuration
        header = await access.get_api_key_with_prefix("BearerToken", alias="authorization")
        *scheme, token = (header or "").split(" ", 1)
        return kopf.ConnectionInfo(
            server=access.host,
            ca_path=access.ssl_ca_cert,
            insecure=not access.verify_ssl,
            username=access.username or None,
            password=access.password or None,
            scheme=scheme[0] if scheme else None,
            token=token or None,
            certificate_path=access.cert_file,
            private_key_path=access.key_file,
            proxy_url=access.proxy,
        )


class _NoDifferences(kopf.DiffBaseStorage):
    """Saves the copy of each object that kopf would compare the next version with."""

    def build(self, **_: Any) -> Any:
        return {}

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        raise AssertionError("kopf writes nothing")


def _settings(scope: Scope) -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.process.ultimate_exiting_timeout = 30
    # Bookmarks come every minute: a stream that is silent for longer is dead, even if its connection is open.
    settings.watching.inactivity_timeout = 75
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 330
    settings.watching.connect_timeout = 10
    # One response with all objects of a kind would need twice the memory of the cache.
    settings.watching.chunk_size = 200
    settings.networking.request_timeout = 60
    settings.networking.connect_timeout = 10
    # kopf's indexes are not used: at the start each object wakes up all waiting handlers, which is quadratic. Its
    # number of workers is not limited, as an idle one keeps its place for a while: they only put keys into our
    # queue, which has its own limit.
    settings.queueing.idle_timeout = 1
    settings.queueing.exit_timeout = 1
    settings.persistence.diffbase_storage = _NoDifferences()
    for resource in CHILDREN:
        settings.watching.label_selectors[_name(resource)] = SELECTOR
    lease = f"metadata.name={scope.lease_name},metadata.namespace={scope.lease_namespace}"
    settings.watching.field_selectors[_name(LEASE)] = lease
    return settings


def _name(resource: Resource) -> _Name:
    group, _, version = resource.api_version.rpartition("/")
    return group, version, resource.plural


def selector_of(resource: Resource) -> str:
    """The label selector of a watched resource."""
    return "" if resource in OWN.values() else SELECTOR
