"""Fills the cache before the watch starts, and compares it with the server now and then.

A watch can lose a deletion (in the gap after a 410) or die silently; both show in the comparison.
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
    """Forgets what no longer exists, and notices when the watch falls behind."""

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
        """The watch lists something (anew): compare soon after."""
        self._listing.set()

    async def fill(self) -> None:
        """Lists everything that is watched, so that nothing is decided on half of it; raises ApiError."""
        for namespace in self._namespaces:
            for resource in WATCHED:
                async for manifest in self._cluster.items(resource, namespace, selector_of(resource)):
                    self._cache.put(manifest)

    async def run(self) -> None:
        """Compares for ever, and reports what the watch has missed, or None."""
        # Soon after the start: something may have been deleted between fill() and the watch's listing.
        pause = min(FIRST, self._period)
        while True:
            await self._wait(pause)
            try:
                missed = await self.compare(PATIENCE)
                self._report(missed)
                # A watch that catches up by itself needs no restart.
                pause = min(FIRST, self._period) if missed else self._period
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
        known = [seen for seen in self._cache.sightings(resource) if namespace in (None, seen.namespace)]
        listed = await self._cluster.sightings(resource, namespace, selector_of(resource))
        there = {seen.uid for seen in listed}
        for gone in [seen for seen in known if seen.uid not in there]:
            await self._confirm_absence(resource, gone)
        late = [seen for seen in listed if self._lacks(resource, seen)]
        if not late:
            return None
        await asyncio.sleep(patience)
        missed = [f"{resource.kind} {seen.namespace}/{seen.name}" for seen in late if self._lacks(resource, seen)]
        return f"the watch has not brought {missed[0]}" if missed else None

    async def _confirm_absence(self, resource: Resource, seen: Sighting) -> None:
        there = await self._cluster.get(resource, seen.namespace, seen.name)
        if there is None or there["metadata"]["uid"] != seen.uid:
            self._cache.remove(seen.uid)

    def _lacks(self, resource: Resource, seen: Sighting) -> bool:
        """Whether the cache has not seen this version; an object deleted meanwhile is not missed."""
        if self._cache.was_deleted(seen.uid):
            return False
        known = self._cache.version(resource, seen.namespace, seen.name)
        return known is None or known < seen.version
