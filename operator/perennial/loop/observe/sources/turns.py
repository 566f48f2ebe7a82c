"""Who may follow a change of the operator's defaults: so many Deployments at a time, over all namespaces."""

from perennial.decide.deployment.update import follows_defaults
from perennial.decide.kube import AppsView
from perennial.decide.outcome import Manifest
from perennial.kube.cache import Cache
from perennial.kube.keys import Key, key_of
from perennial.kube.resources import APPS_DEPLOYMENT


class Turns:
    """Counts those that follow in the cache, and beside them those that may and have not been written yet."""

    def __init__(self, cache: Cache, most: int) -> None:
        self._cache = cache
        self._most = most
        self._taken: set[Key] = set()

    def take(self, key: Key) -> bool:
        """Whether it may follow now; it then has its turn until it gives it back, or is gone."""
        cached = {key_of(manifest): manifest for manifest in self._cache.all(APPS_DEPLOYMENT)}
        self._taken &= cached.keys()
        following = {each for each, manifest in cached.items() if _follows(manifest)}
        if len((following | self._taken) - {key}) >= self._most:
            return False
        self._taken.add(key)
        return True

    def give_back(self, key: Key) -> None:
        """It has followed, or need not."""
        self._taken.discard(key)


def _follows(manifest: Manifest) -> bool:
    return follows_defaults(AppsView.of(manifest))
