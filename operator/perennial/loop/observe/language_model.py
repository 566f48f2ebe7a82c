"""Observes a LanguageModel: its TrainingJobs, its Deployment, the Jobs on its storage, and watched metrics."""

from dataclasses import replace
from datetime import UTC, datetime

from perennial.api import LanguageModel, ModelDeployment, TrainingJob
from perennial.decide.defaults import Defaults
from perennial.decide.kube import JobView, PodView
from perennial.decide.language_model import needs, retraining
from perennial.decide.language_model.observed import Observed, StorageJob
from perennial.decide.outcome import Manifest
from perennial.kube.cache import Cache
from perennial.kube.client import Cluster
from perennial.kube.keys import Key
from perennial.kube.resources import JOB, OWN, POD
from perennial.loop.observe.children import Children
from perennial.loop.observe.sources.refusal import refusal
from perennial.loop.readings.reader import Reader


class LanguageModelObserver:
    """Reads what a decision on a LanguageModel looks at."""

    def __init__(self, cache: Cache, cluster: Cluster, children: Children, reader: Reader, defaults: Defaults) -> None:
        self._cache = cache
        self._cluster = cluster
        self._children = children
        self._reader = reader
        self._defaults = defaults

    async def observe(self, model: LanguageModel) -> Observed:
        """Everything at once; an absence that has consequences is confirmed by the server."""
        deployments = self._children.owned(model, OWN["Deployment"])
        return Observed(
            self._defaults,
            training_jobs={_name(job): TrainingJob.model_validate(job) for job in await self._training_jobs(model)},
            storage_jobs={_name(job): await self._storage_job(job) for job in self._children.owned(model, JOB)},
            deployment=ModelDeployment.model_validate(deployments[0]) if deployments else None,
            readings=self._reader.readings(retraining.queries(model), Key.of(model)),
        )

    async def _storage_job(self, manifest: Manifest) -> StorageJob:
        job = JobView.of(manifest)
        running = StorageJob(job, tuple(PodView.of(pod) for pod in self._cache.owned(job.uid, POD)))
        if not needs.refusal(running, datetime.now(UTC)):
            return running
        return replace(running, refusal=await refusal(self._cluster, manifest["metadata"]["namespace"], job))

    async def _training_jobs(self, model: LanguageModel) -> list[Manifest]:
        resource = OWN["TrainingJob"]
        cached = self._children.owned(model, resource)
        names = needs.confirmed_training_jobs(model)
        others = [await self._children.confirm_absence(model, resource, name) for name in names]
        return [*cached, *(manifest for manifest in others if manifest)]


def _name(manifest: Manifest) -> str:
    return str(manifest["metadata"]["name"])
