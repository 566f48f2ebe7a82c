"""Children of an object: from the cache, and confirmed by the server where an absence has consequences."""

from perennial.api.kind import Kind
from perennial.decide.outcome import Manifest
from perennial.kube.cache import Cache
from perennial.kube.client import Cluster
from perennial.kube.resources import Resource, is_owned_by


class Children:
    """Reads the objects that others own."""

    def __init__(self, cache: Cache, cluster: Cluster) -> None:
        self._cache = cache
        self._cluster = cluster

    def owned(self, owner: Kind, resource: Resource) -> list[Manifest]:
        """The cached objects of this resource that the owner has, by name."""
        return self._cache.owned(owner.metadata.uid, resource)

    async def confirm_absence(self, owner: Kind, resource: Resource, name: str) -> Manifest | None:
        """The owner's object of this name, if the server has it and the cache does not."""
        at = owner.metadata
        if (cached := self._cache.get(resource, at.namespace, name)) and is_owned_by(cached, at.uid):
            return None
        manifest = await self._cluster.get(resource, at.namespace, name)
        if manifest is None or not is_owned_by(manifest, at.uid):
            return None
        self._cache.put(manifest)
        return manifest
