"""Fills the cache before the watch starts, and compares it with the server now and then.

A watch can lose a deletion (in the gap after a 410) or die silently; both show in the comparison.
"""

import asyncio
import contextlib
import logging

from perennial.cache import Cache
from perennial.cluster import ApiError, Cluster
from perennial.decide.outcome import Manifest
from perennial.health import Health
from perennial.resources import WATCHED, Resource
from perennial.watch import selector_of

logger = logging.getLogger(__name__)

FIRST = 30.0
SETTLE = 2.0
PATIENCE = 30.0


class Resync:
    """Forgets what no longer exists, and notices when the watch falls behind."""

    def __init__(
        self,
        cache: Cache,
        cluster: Cluster,
        namespaces: tuple[str, ...],
        period: float,
        health: Health,
    ) -> None:
        self._cache = cache
        self._cluster = cluster
        self._namespaces: tuple[str | None, ...] = namespaces or (None,)
        self._period = period
        self._health = health
        self._listing = asyncio.Event()

    def listed(self) -> None:
        """The watch lists something (anew): compare soon after."""
        self._listing.set()

    async def fill(self) -> None:
        """Lists everything that is watched, so that nothing is decided on half of it; raises ApiError."""
        for namespace in self._namespaces:
            for resource in WATCHED:
                async for manifest in self._cluster.items(resource, namespace, selector_of(resource)):
                    self._cache.put(manifest)

    async def run(self) -> None:
        """Compares for ever, and says in the health what the watch has missed."""
        # Soon after the start: something may have been deleted between fill() and the watch's listing.
        pause = min(FIRST, self._period)
        while True:
            await self._wait(pause)
            pause = self._period
            try:
                self._health.behind = await self.compare(PATIENCE)
            except ApiError as error:
                logger.warning("the cache could not be compared with the server: %s", error)

    async def _wait(self, seconds: float) -> None:
        """So many seconds, or until the watch has listed something and is through with it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._listing.wait()
                while self._listing.is_set():
                    self._listing.clear()
                    await asyncio.sleep(SETTLE)

    async def compare(self, patience: float) -> str | None:
        """What the watch has not brought within so many seconds after it was there; None if nothing."""
        for namespace in self._namespaces:
            for resource in WATCHED:
                if missed := await self._compare(resource, namespace, patience):
                    return missed
        return None

    async def _compare(self, resource: Resource, namespace: str | None, patience: float) -> str | None:
        known = {o["metadata"]["uid"]: o for o in self._cache.all(resource) if _is_in(o, namespace)}
        listed = await self._cluster.metadata(resource, namespace, selector_of(resource))
        for uid in known.keys() - {at["uid"] for at in listed}:
            await self._confirm_absence(resource, known[uid])
        late = [at for at in listed if self._lacks(resource, at)]
        if not late:
            return None
        await asyncio.sleep(patience)
        missed = [f"{resource.kind} {at['namespace']}/{at['name']}" for at in late if self._lacks(resource, at)]
        return f"the watch has not brought {missed[0]}" if missed else None

    async def _confirm_absence(self, resource: Resource, manifest: Manifest) -> None:
        at = manifest["metadata"]
        there = await self._cluster.get(resource, at["namespace"], at["name"])
        if there is None or there["metadata"]["uid"] != at["uid"]:
            self._cache.remove(at["uid"])

    def _lacks(self, resource: Resource, at: Manifest) -> bool:
        """Whether the cache has not seen this version; an object deleted meanwhile is not missed."""
        if self._cache.was_deleted(at["uid"]):
            return False
        known = self._cache.get(resource, at["namespace"], at["name"])
        return known is None or int(known["metadata"]["resourceVersion"]) < int(at["resourceVersion"])


def _is_in(manifest: Manifest, namespace: str | None) -> bool:
    return namespace is None or manifest["metadata"]["namespace"] == namespace
