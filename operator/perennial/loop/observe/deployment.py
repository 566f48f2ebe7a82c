"""Observes a Deployment: its children, its pods, and the load."""

from collections.abc import Iterator
from dataclasses import replace

from perennial.api import ModelDeployment
from perennial.decide.defaults import Defaults
from perennial.decide.deployment import needs
from perennial.decide.deployment.observed import Observed
from perennial.decide.deployment.queries import queries
from perennial.decide.kube import AppsView, PodView
from perennial.decide.outcome import Reference
from perennial.kube.cache import Cache
from perennial.kube.keys import Key
from perennial.kube.resources import APPS_DEPLOYMENT, NETWORK_POLICY, POD
from perennial.loop.observe.sources.inputs import Inputs
from perennial.loop.observe.sources.turns import Turns
from perennial.loop.readings.reader import Reader


class DeploymentObserver:
    """Reads what a decision on a Deployment looks at."""

    def __init__(self, cache: Cache, inputs: Inputs, reader: Reader, defaults: Defaults) -> None:
        self._cache = cache
        self._inputs = inputs
        self._reader = reader
        self._defaults = defaults
        self._turns = Turns(cache, defaults.rollout.max_concurrent)

    async def observe(self, deployment: ModelDeployment) -> Observed:
        """Everything at once; only inputs are asked of the server, and nothing of Prometheus."""
        at = deployment.metadata
        apps = next(iter(self._cache.owned(at.uid, APPS_DEPLOYMENT)), None)
        observed = Observed(
            self._defaults,
            apps=AppsView.of(apps) if apps else None,
            pods=tuple(map(PodView.of, self._cache.pods_of_deployment(POD, at.namespace, at.name))),
            network_policies=tuple(self._network_policies(at.uid)),
        )
        return replace(
            observed,
            has_turn=self._has_turn(deployment, observed),
            missing=await self._inputs.missing(at.namespace, needs.inputs(deployment, observed)),
            readings=self._reader.readings(queries(deployment), Key.of(deployment)),
        )

    def _network_policies(self, uid: str) -> Iterator[Reference]:
        """Those that are not being deleted yet."""
        for manifest in self._cache.owned(uid, NETWORK_POLICY):
            if "deletionTimestamp" not in manifest["metadata"]:
                yield Reference.of(manifest)

    def _has_turn(self, deployment: ModelDeployment, observed: Observed) -> bool:
        key = Key.of(deployment)
        if needs.turn(deployment, observed):
            return self._turns.take(key)
        self._turns.give_back(key)
        return False
