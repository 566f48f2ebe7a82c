"""Collects what a decision looks at: from the cache, and where that does not do from the server. The only reader."""

import logging
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from perennial.api import LanguageModel, ModelDeployment, TrainingJob
from perennial.api.common import Kind
from perennial.decide.defaults import Defaults
from perennial.decide.deployment import observed as deployment
from perennial.decide.deployment import queries as deployment_queries
from perennial.decide.deployment.state import rolled_out
from perennial.decide.kube import AppsView, JobView, PodView
from perennial.decide.labels import TRAINING_JOB
from perennial.decide.language_model import observed as language_model
from perennial.decide.language_model import retraining
from perennial.decide.outcome import Manifest
from perennial.decide.pods.template import Volumes
from perennial.decide.training_job import observed as training_job
from perennial.decide.training_job.base import awaited
from perennial.decide.training_job.config import config_map_name
from perennial.decide.training_job.observed import Observed as ObservedTraining
from perennial.decide.training_job.processes import index
from perennial.decide.training_job.state import pods_are_overdue
from perennial.kube.cache import Cache
from perennial.kube.client import ApiError, Cluster
from perennial.kube.keys import Key
from perennial.kube.resources import (
    APPS_DEPLOYMENT,
    CLAIM,
    CONFIG_MAP,
    CORE_EVENT,
    JOB,
    OWN,
    POD,
    Resource,
    is_owned_by,
)
from perennial.loop import logs
from perennial.loop.progress import last_progress
from perennial.loop.prometheus import Prometheus

logger = logging.getLogger(__name__)

_LOG_LINES = 50
_LOG_BYTES = 64 * 1024
_ENDED = ("Complete", "Failed")
_BELIEVED_SECONDS = 10.0


class Observer:
    """Builds the Observed of each kind."""

    def __init__(self, cache: Cache, cluster: Cluster, prometheus: Prometheus, defaults: Defaults) -> None:
        self._cache = cache
        self._cluster = cluster
        self._prometheus = prometheus
        self._defaults = defaults
        self._found: dict[tuple[Resource, str, str], float] = {}

    async def training_job(self, job: TrainingJob) -> training_job.Observed:
        """The Job, its pods and what they say."""
        if job.status.state in _ENDED:
            return training_job.Observed(self._defaults)
        child = await self._job(job)
        pods = await self._training_pods(job, child)
        runs = [pod for pod in pods if pod.phase == "Running"]
        leader = next((pod for pod in runs if index(pod) == 0), None)
        seen = training_job.Observed(
            self._defaults,
            job=child,
            has_config=self._cache.get(CONFIG_MAP, job.metadata.namespace, config_map_name(job)) is not None,
            pods=tuple(pods),
            missing=()
            if runs or (child and child.has_ended)
            else await self._missing(job, training_job.locations(job)),
            progress=last_progress(await self._log(job, leader), job.status.progress) if leader else None,
        )
        return replace(seen, refusal=await self._refusal(job, seen), awaited=await self._awaited(job))

    async def deployment(self, service: ModelDeployment) -> deployment.Observed:
        """The apps/v1 Deployment, its pods, and the load."""
        at = service.metadata
        apps = next(iter(self._cache.owned(at.uid, APPS_DEPLOYMENT)), None)
        seen = deployment.Observed(
            self._defaults,
            apps=AppsView.of(apps) if apps else None,
            pods=tuple(map(PodView.of, self._cache.pods_of_deployment(POD, at.namespace, at.name))),
        )
        return replace(
            seen,
            # What pods in service mount can be deleted without harm to them.
            missing=() if rolled_out(service, seen) else await self._missing(service, [service.spec.model.uri]),
            readings=await self._prometheus.readings(deployment_queries.queries(service)),
        )

    async def language_model(self, model: LanguageModel) -> language_model.Observed:
        """The TrainingJobs, the Deployment, the Jobs that delete artifacts, and the watched metrics."""
        owned = self._cache.owned
        uid = model.metadata.uid
        trainings = [*owned(uid, OWN["TrainingJob"]), *await self._unseen_trainings(model)]
        services = owned(uid, OWN["Deployment"])
        return language_model.Observed(
            self._defaults,
            training_jobs={job["metadata"]["name"]: TrainingJob.model_validate(job) for job in trainings},
            cleanups={job["metadata"]["name"]: JobView.of(job) for job in owned(uid, JOB)},
            deployment=ModelDeployment.model_validate(services[0]) if services else None,
            readings=await self._prometheus.readings(retraining.queries(model)),
        )

    async def _unseen_trainings(self, model: LanguageModel) -> list[Manifest]:
        """The TrainingJobs that the status speaks of and the cache lacks: an absence matters, so it is confirmed."""
        names = [v.training_job for v in model.status.versions if v.state == "Training" or v.collecting]
        found = [await self._unseen(OWN["TrainingJob"], model, name) for name in names]
        return [manifest for manifest in found if manifest]

    async def _unseen(self, resource: Resource, owner: Kind, name: str) -> Manifest | None:
        at = owner.metadata
        if (known := self._cache.get(resource, at.namespace, name)) and is_owned_by(known, at.uid):
            return None
        manifest = await self._cluster.get(resource, at.namespace, name)
        if manifest is None or not is_owned_by(manifest, at.uid):
            return None
        self._cache.put(manifest)
        return manifest

    async def _job(self, job: TrainingJob) -> JobView | None:
        manifest = next(iter(self._cache.owned(job.metadata.uid, JOB)), None)
        if manifest is None and job.status.start_time:
            manifest = await self._unseen(JOB, job, job.metadata.name)
        return JobView.of(manifest) if manifest else None

    async def _training_pods(self, job: TrainingJob, child: JobView | None) -> list[PodView]:
        """The Job's pods; once it has ended, from the server if the cache has not seen how they ended."""
        if child is None:
            return []
        known = [PodView.of(pod) for pod in self._cache.owned(child.uid, POD)]
        if not child.has_ended or (known and all(map(_has_result, known))):
            return known
        at = job.metadata
        pods = self._cluster.items(POD, at.namespace, f"{TRAINING_JOB}={at.name}")
        return [PodView.of(pod) async for pod in pods if is_owned_by(pod, child.uid)]

    async def _refusal(self, job: TrainingJob, seen: ObservedTraining) -> str | None:
        """Why a pod is overdue: only Events of the Job controller tell. They are read then, and never watched."""
        if seen.job is None or seen.job.has_ended or not pods_are_overdue(job, seen, datetime.now(UTC)):
            return None
        fields = f"involvedObject.uid={seen.job.uid},reason=FailedCreate"
        events = [event async for event in self._cluster.items(CORE_EVENT, job.metadata.namespace, fields=fields)]
        newest = max(events, key=lambda event: event.get("lastTimestamp") or "", default={})
        return newest.get("message", "").removeprefix("Error creating: ").rstrip(".") or None

    async def _awaited(self, job: TrainingJob) -> LanguageModel | None:
        """What a training continues from is asked of the server: it is settled once and for all."""
        wanted = awaited(job)
        found = wanted and await self._cluster.get(OWN["LanguageModel"], job.metadata.namespace, wanted.name)
        return LanguageModel.model_validate(found) if found else None

    async def _log(self, job: TrainingJob, pod: PodView) -> str:
        try:
            return await self._cluster.log_tail(pod.namespace, pod.name, _LOG_LINES, _LOG_BYTES)
        except ApiError as error:  # the container is being started or has just ended, or its node is away
            key = Key(job.KIND, job.metadata.namespace, job.metadata.name)
            logs.of(logger, key).debug("no log of pod %s: %s", pod.name, error)
            return ""

    async def _missing(self, owner: Kind, locations: Iterable[str]) -> tuple[str, ...]:
        """The claims and ConfigMaps that are referred to and don't exist."""
        try:
            volumes = Volumes.of(locations)
        except ValueError:  # the decision says what is wrong with the URI
            return ()
        wanted = [*((CLAIM, name) for name in volumes.claims), *((CONFIG_MAP, name) for name in volumes.config_maps)]
        namespace = owner.metadata.namespace
        missing = [(of, name) for of, name in wanted if not await self._exists(of, namespace, name)]
        return tuple(f'{resource.kind} "{name}"' for resource, name in missing)

    async def _exists(self, resource: Resource, namespace: str, name: str) -> bool:
        """Asks the server, which is believed for a while if it says yes: many objects refer to the same claim."""
        what, now = (resource, namespace, name), time.monotonic()
        if self._found.get(what, now) > now:
            return True
        self._found = {found: until for found, until in self._found.items() if until > now}
        if await self._cluster.get(resource, namespace, name) is None:
            return False
        self._found[what] = now + _BELIEVED_SECONDS
        return True


def _has_result(pod: PodView) -> bool:
    return any(container.terminated for container in pod.containers)
