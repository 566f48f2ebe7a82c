"""Whether the PersistentVolumeClaims and ConfigMaps of a spec exist. They carry no label, so that no cache has them."""

import time
from collections.abc import Iterable

from perennial.decide.pods.template import Volumes
from perennial.kube.client import Cluster
from perennial.kube.resources import CLAIM, CONFIG_MAP, Resource

_BELIEVED_SECONDS = 10.0


class Inputs:
    """Asks the server, and believes a yes for some seconds: many objects refer to the same claim."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._believed_until: dict[tuple[Resource, str, str], float] = {}

    async def missing(self, namespace: str, locations: Iterable[str]) -> tuple[str, ...]:
        """The claims and ConfigMaps of these URIs that don't exist, such as 'PersistentVolumeClaim "corpus"'."""
        try:
            volumes = Volumes.of(locations)
        except ValueError:  # the decision reports the invalid URI
            return ()
        inputs = [*((CLAIM, name) for name in volumes.claims), *((CONFIG_MAP, name) for name in volumes.config_maps)]
        missing = [(resource, name) for resource, name in inputs if not await self._exists(resource, namespace, name)]
        return tuple(f'{resource.kind} "{name}"' for resource, name in missing)

    async def _exists(self, resource: Resource, namespace: str, name: str) -> bool:
        key, now = (resource, namespace, name), time.monotonic()
        if self._believed_until.get(key, now) > now:
            return True
        self._believed_until = {known: until for known, until in self._believed_until.items() if until > now}
        if await self._cluster.get(resource, namespace, name) is None:
            return False
        self._believed_until[key] = now + _BELIEVED_SECONDS
        return True
