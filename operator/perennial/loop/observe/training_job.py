"""Observes a TrainingJob: its Job, its pods, their progress, and what keeps them from starting."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from perennial.api import LanguageModel, TrainingJob
from perennial.decide.defaults import Defaults
from perennial.decide.kube import JobView, PodView, has_ended
from perennial.decide.labels import TRAINING_JOB
from perennial.decide.outcome import Manifest
from perennial.decide.training_job import needs
from perennial.decide.training_job.configuration import config_map_name
from perennial.decide.training_job.observed import Observed
from perennial.decide.training_job.starting_model import unresolved
from perennial.kube.cache import Cache
from perennial.kube.client import Cluster
from perennial.kube.resources import CONFIG_MAP, JOB, OWN, POD, is_owned_by
from perennial.loop.observe.children import Children
from perennial.loop.observe.sources.inputs import Inputs
from perennial.loop.observe.sources.pod_log import PodLog
from perennial.loop.observe.sources.refusal import refusal
from perennial_contract.result import Progress


class TrainingJobObserver:
    """Reads what a decision on a TrainingJob looks at."""

    def __init__(self, cache: Cache, cluster: Cluster, children: Children, inputs: Inputs, defaults: Defaults) -> None:
        self._cache = cache
        self._cluster = cluster
        self._children = children
        self._inputs = inputs
        self._pod_log = PodLog(cluster)
        self._defaults = defaults

    async def observe(self, job: TrainingJob) -> Observed:
        """The Job and its pods first, then what they make necessary to know."""
        if has_ended(job.status):
            return self._rest(job)
        namespace = job.metadata.namespace
        batch = await self._job(job)
        pods = await self._pods(job, batch) if batch else ()
        observed = Observed(
            self._defaults,
            job=batch,
            has_config=self._cache.get(CONFIG_MAP, namespace, config_map_name(job)) is not None,
            pods=tuple(pods),
            missing=await self._inputs.missing(namespace, needs.inputs(job, batch, pods)),
            missing_comparison=await self._inputs.missing(namespace, needs.comparison(job, batch, pods)),
            progress=await self._progress(job, pods),
            language_model=await self._language_model(job),
        )
        return replace(observed, refusal=await self._refusal(job, observed))

    def _rest(self, job: TrainingJob) -> Observed:
        """What goes on of a run that has ended; nothing, as a rule."""
        manifest = self._cached_job(job)
        if manifest is None or (batch := JobView.of(manifest)).has_ended:
            return Observed(self._defaults)
        return Observed(self._defaults, job=batch, pods=tuple(self._cached_pods(batch)))

    def _cached_job(self, job: TrainingJob) -> Manifest | None:
        return next(iter(self._children.owned(job, JOB)), None)

    def _cached_pods(self, batch: JobView) -> list[PodView]:
        return [PodView.of(pod) for pod in self._cache.owned(batch.uid, POD)]

    async def _job(self, job: TrainingJob) -> JobView | None:
        manifest = self._cached_job(job)
        if manifest is None and needs.confirmed_job(job):
            manifest = await self._children.confirm_absence(job, JOB, job.metadata.name)
        return JobView.of(manifest) if manifest else None

    async def _pods(self, job: TrainingJob, batch: JobView) -> list[PodView]:
        """The Job's pods: from the server, if it has ended and the cache does not hold how they ended."""
        cached = self._cached_pods(batch)
        if not needs.final_pods(batch, cached):
            return cached
        pods = self._cluster.items(POD, job.metadata.namespace, f"{TRAINING_JOB}={job.metadata.name}")
        return [PodView.of(pod) async for pod in pods if is_owned_by(pod, batch.uid)]

    async def _progress(self, job: TrainingJob, pods: Iterable[PodView]) -> Progress | None:
        pod = needs.log(pods)
        return await self._pod_log.progress(pod, job) if pod else None

    async def _refusal(self, job: TrainingJob, observed: Observed) -> str | None:
        batch = needs.refusal(job, observed, datetime.now(UTC))
        return await refusal(self._cluster, job.metadata.namespace, batch) if batch else None

    async def _language_model(self, job: TrainingJob) -> LanguageModel | None:
        """The LanguageModel to start from, read from the API server, since its reference is resolved only once."""
        reference = unresolved(job)
        if reference is None:
            return None
        manifest = await self._cluster.get(OWN["LanguageModel"], job.metadata.namespace, reference.name)
        return LanguageModel.model_validate(manifest) if manifest else None
