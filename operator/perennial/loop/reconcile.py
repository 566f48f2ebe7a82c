"""Reconciles one object: observe, decide, apply."""

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from perennial.api import LanguageModel, ModelDeployment, TrainingJob
from perennial.api.kind import Kind
from perennial.decide.defaults import Defaults
from perennial.decide.deployment.decide import decide as decide_deployment
from perennial.decide.language_model.decide import decide as decide_language_model
from perennial.decide.outcome import Manifest, Outcome
from perennial.decide.training_job.decide import decide as decide_training_job
from perennial.kube.cache import Cache
from perennial.kube.client import ApiError, Cluster
from perennial.kube.keys import Key
from perennial.kube.resources import OWN
from perennial.loop import logs
from perennial.loop.apply import Applier
from perennial.loop.metrics import Metrics
from perennial.loop.observe.children import Children
from perennial.loop.observe.deployment import DeploymentObserver
from perennial.loop.observe.language_model import LanguageModelObserver
from perennial.loop.observe.sources.inputs import Inputs
from perennial.loop.observe.training_job import TrainingJobObserver
from perennial.loop.queue import Retry
from perennial.loop.readings.reader import Reader
from perennial.loop.refusals import Conflict, Refused

logger = logging.getLogger(__name__)

K = TypeVar("K", bound=Kind)
O = TypeVar("O")  # noqa: E741  # what is observed of a K


@dataclass(frozen=True)
class Controller(Generic[K, O]):
    """How objects of one kind are read, observed and decided on."""

    kind: type[K]
    observe: Callable[[K], Awaitable[O]]
    decide: Callable[[K, O, datetime], Outcome]

    async def outcome(self, manifest: Manifest, now: datetime) -> tuple[K, Outcome]:
        """The object and the decision on it; raises ValidationError if it can't be parsed."""
        obj = self.kind.model_validate(manifest)
        return obj, self.decide(obj, await self.observe(obj), now)


Controllers = dict[str, Controller[Any, Any]]


def controllers(cache: Cache, cluster: Cluster, reader: Reader, defaults: Defaults) -> Controllers:
    """The controller of each kind, by its name."""
    children, inputs = Children(cache, cluster), Inputs(cluster)
    training_job = TrainingJobObserver(cache, cluster, children, inputs, defaults)
    deployment = DeploymentObserver(cache, inputs, reader, defaults)
    language_model = LanguageModelObserver(cache, cluster, children, reader, defaults)
    table = (
        Controller(TrainingJob, training_job.observe, decide_training_job),
        Controller(ModelDeployment, deployment.observe, decide_deployment),
        Controller(LanguageModel, language_model.observe, decide_language_model),
    )
    return {controller.kind.KIND: controller for controller in table}


class Reconciler:
    """The work of the queue."""

    def __init__(self, cache: Cache, by_kind: Controllers, applier: Applier, metrics: Metrics) -> None:
        self._cache = cache
        self._controllers = by_kind
        self._applier = applier
        self._metrics = metrics

    async def reconcile(self, key: Key) -> float | None:
        """Reconciles one object; returns the seconds until the next time. Raises Retry for known failures."""
        started = time.monotonic()
        result = "failed"
        try:
            pause = await self._reconcile(key)
            result = "done"
            return pause
        except Conflict as conflict:
            result = "conflict"
            logs.of(logger, key).debug("%s", conflict)
            raise Retry(str(conflict), soon=True) from conflict
        except (ApiError, Refused) as error:
            raise Retry(str(error)) from error
        finally:
            self._metrics.reconciled(key.kind, result, time.monotonic() - started)

    async def _reconcile(self, key: Key) -> float | None:
        manifest = self._cache.get(OWN[key.kind], key.namespace, key.name)
        if manifest is None or manifest["metadata"].get("deletionTimestamp"):
            self._applier.forget(key)
            return None
        now = datetime.now(UTC)
        try:
            obj, outcome = await self._controllers[key.kind].outcome(manifest, now.replace(microsecond=0))
        except ValidationError as error:
            await self._applier.report_unreadable(manifest, _first(error), now)
            raise Retry(f"can't be read: {_first(error)}") from error
        repair = await self._applier.apply(manifest, obj, outcome, now.replace(microsecond=0))
        again = (outcome.again_at - now).total_seconds() if outcome.again_at else None
        return min((pause for pause in (again, repair) if pause is not None), default=None)


def _first(error: ValidationError) -> str:
    """The first mistake, and its field."""
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
