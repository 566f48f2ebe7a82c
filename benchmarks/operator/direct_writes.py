"""The limit: the writes of our operator, recorded once and sent straight to the API server."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import training_jobs
from api_client import APPLY, JSON, Api, Manifest
from fresh_control_plane import ControlPlane
from perennial.api import TrainingJob
from perennial.decide.defaults import Defaults
from perennial.decide.labels import FIELD_MANAGER
from perennial.decide.training_job.decide import decide
from perennial.decide.training_job.observed import Observed
from perennial.kube.cache import Cache
from perennial.kube.resources import Resource
from perennial.loop.apply import Applier
from perennial.loop.metrics import Metrics
from perennial.loop.repairs import RepairMemory

# What stands for the name, the uid and the resourceVersion in what is recorded.
_NAME, _UID, _VERSION = "recorded-name", "00000000-feed-4bee-8bad-000000000000", "987654321012345"


@dataclass(frozen=True)
class Write:
    """One request, to be filled in for an object."""

    method: str
    path: str
    content_type: str
    body: bytes


class _Recorder:
    """Stands where the operator has its connection to the API server."""

    def __init__(self) -> None:
        self.writes: list[Write] = []

    async def get(self, *_: Any) -> None:
        return None

    async def apply(
        self, resource: Resource, manifest: Manifest, *, force: bool, subresource: str | None = None
    ) -> Manifest:
        at = manifest["metadata"]
        query = urlencode({"fieldManager": FIELD_MANAGER, "force": str(force).lower()})
        path = f"{resource.path(at['namespace'], at['name'], subresource)}?{query}"
        self.writes.append(Write("PATCH", path, APPLY, json.dumps(manifest).encode()))
        return manifest | {"metadata": at | {"uid": resource.plural, "resourceVersion": "1"}}

    async def create(self, resource: Resource, manifest: Manifest) -> None:
        path = f"{resource.path(manifest['metadata']['namespace'])}?fieldManager={FIELD_MANAGER}"
        self.writes.append(Write("POST", path, JSON, json.dumps(manifest).encode()))


def record() -> list[Write]:
    """The writes of the operator's own decision on a new TrainingJob, by its own writer."""
    stored = training_jobs.training_job(_NAME)
    now = datetime.now(UTC).replace(microsecond=0)
    stored["metadata"] |= {"uid": _UID, "resourceVersion": _VERSION, "generation": 1}
    stored["metadata"] |= {"creationTimestamp": now.isoformat()}
    job = TrainingJob.model_validate(stored)
    image = "localhost/perennial/training:dev"
    outcome = decide(job, Observed(Defaults(training_image=image, serving_image=image)), now)
    recorder, cache = _Recorder(), Cache(lambda _: None)
    cache.put(stored)
    applier = Applier(cache, recorder, Metrics(), RepairMemory())  # type: ignore[arg-type]
    asyncio.run(applier.apply(stored, job, outcome, now))
    return recorder.writes


class Direct:
    """No process: the client that creates the objects does the rest too."""

    name = "direct"
    owners = training_jobs.TRAINING_JOBS
    children = training_jobs.JOBS
    agents = ("bench-load",)
    gives_status = True

    def __init__(self) -> None:
        self._writes = record()
        self.version = f"{len(self._writes)} writes an object"

    async def prepare(self, api: Api, control_plane: ControlPlane) -> None:
        await training_jobs.prepare(api, control_plane)

    @contextmanager
    def run(self, control_plane: ControlPlane) -> Iterator[None]:
        yield

    async def create(self, api: Api, name: str) -> None:
        at = (await api.create(self.owners, training_jobs.training_job(name)))["metadata"]
        for write in self._writes:
            body = write.body
            for recorded, real in ((_NAME, name), (_UID, at["uid"]), (_VERSION, at["resourceVersion"])):
                body = body.replace(recorded.encode(), real.encode())
            await api.send(write.method, write.path.replace(_NAME, name), body, write.content_type)

    def has_status(self, owner: Manifest) -> bool:
        return bool(owner.get("status", {}).get("conditions"))

    def shows_change(self, owner: Manifest) -> bool:
        return False

    async def changeable(self, api: Api) -> AsyncIterator[str]:
        for name in ():
            yield name

    async def change_child(self, api: Api, name: str) -> None:
        raise NotImplementedError
