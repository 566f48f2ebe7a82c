"""Fills the cache before the watch starts, and compares it with the server periodically.

A watch can miss a deletion (in the gap after a 410) or die silently; the comparison detects both.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from perennial.kube.cache import Cache
from perennial.kube.client import ApiError, Cluster
from perennial.kube.resources import WATCHED, Resource, Sighting
from perennial.kube.watch import selector_of

logger = logging.getLogger(__name__)

FIRST = 30.0
SETTLE = 2.0
PATIENCE = 30.0


class Resync:
    """Drops cached objects that no longer exist, and detects a watch that falls behind."""

    def __init__(
        self,
        cache: Cache,
        cluster: Cluster,
        namespaces: tuple[str, ...],
        period: float,
        report: Callable[[str | None], None],
    ) -> None:
        self._cache = cache
        self._cluster = cluster
        self._namespaces: tuple[str | None, ...] = namespaces or (None,)
        self._period = period
        self._report = report
        self._listing = asyncio.Event()

    def listed(self) -> None:
        """The watch has (re)listed a resource: compare soon."""
        self._listing.set()

    async def fill(self) -> None:
        """Lists all watched resources, so that no decision is based on half of them; raises ApiError."""
        for namespace in self._namespaces:
            for resource in WATCHED:
                async for manifest in self._cluster.items(resource, namespace, selector_of(resource)):
                    self._cache.put(manifest)

    async def run(self) -> None:
        """Compares forever, and reports what the watch has missed, or None."""
        # Soon after the start: an object may have been deleted between fill() and the list of the watch.
        pause = min(FIRST, self._period)
        while True:
            await self._wait(pause)
            try:
                missed = await self.compare(PATIENCE)
                self._report(missed)
                # A watch that catches up by itself needs no restart.
                pause = min(FIRST, self._period) if missed else self._period
            except ApiError as error:
                logger.warning("failed to compare the cache with the server: %s", error)

    async def _wait(self, seconds: float) -> None:
        """Waits this long, or until the watch has finished a (re)list."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._listing.wait()
                while self._listing.is_set():
                    self._listing.clear()
                    await asyncio.sleep(SETTLE)

    async def compare(self, patience: float) -> str | None:
        """The first object that the watch has not delivered within this many seconds after the server had it."""
        for namespace in self._namespaces:
            for resource in WATCHED:
                if missed := await self._compare(resource, namespace, patience):
                    return missed
        return None

    async def _compare(self, resource: Resource, namespace: str | None, patience: float) -> str | None:
        cached = [sighting for sighting in self._cache.sightings(resource) if namespace in (None, sighting.namespace)]
        listed = await self._cluster.sightings(resource, namespace, selector_of(resource))
        uids = {sighting.uid for sighting in listed}
        for sighting in [sighting for sighting in cached if sighting.uid not in uids]:
            await self._confirm_absence(resource, sighting)
        late = [sighting for sighting in listed if self._lacks(resource, sighting)]
        if not late:
            return None
        await asyncio.sleep(patience)
        missed = [
            f"{resource.kind} {sighting.namespace}/{sighting.name}"
            for sighting in late
            if self._lacks(resource, sighting)
        ]
        return f"the watch has not delivered {missed[0]}" if missed else None

    async def _confirm_absence(self, resource: Resource, sighting: Sighting) -> None:
        current = await self._cluster.get(resource, sighting.namespace, sighting.name)
        if current is None or current["metadata"]["uid"] != sighting.uid:
            self._cache.remove(sighting.uid)

    def _lacks(self, resource: Resource, sighting: Sighting) -> bool:
        """Whether the cache lacks this version; an object deleted meanwhile is not missed."""
        if self._cache.was_deleted(sighting.uid):
            return False
        cached = self._cache.version(resource, sighting.namespace, sighting.name)
        return cached is None or cached < sighting.version
