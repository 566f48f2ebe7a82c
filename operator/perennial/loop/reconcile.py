"""One look at one object: observe, decide, apply."""

import logging
import time
from datetime import UTC, datetime

from pydantic import ValidationError

from perennial.api import LanguageModel, ModelDeployment, TrainingJob
from perennial.api.common import Kind
from perennial.decide.deployment.decide import decide as decide_deployment
from perennial.decide.language_model.decide import decide as decide_language_model
from perennial.decide.outcome import Outcome
from perennial.decide.training_job.decide import decide as decide_training_job
from perennial.kube.cache import Cache
from perennial.kube.client import ApiError
from perennial.kube.keys import Key
from perennial.kube.resources import OWN, TYPES
from perennial.loop import logs
from perennial.loop.apply import Applier, Conflict, Refused
from perennial.loop.metrics import Metrics
from perennial.loop.observe import Observer
from perennial.loop.queue import Retry

logger = logging.getLogger(__name__)


class Reconciler:
    """Work of the queue."""

    def __init__(self, cache: Cache, observer: Observer, applier: Applier, metrics: Metrics) -> None:
        self._cache = cache
        self._observer = observer
        self._applier = applier
        self._metrics = metrics

    async def reconcile(self, key: Key) -> float | None:
        """Looks at one object; returns after how many seconds to look again. Raises Retry for known failures."""
        started = time.monotonic()
        result = "failed"
        try:
            pause = await self._look(key)
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

    async def _look(self, key: Key) -> float | None:
        manifest = self._cache.get(OWN[key.kind], key.namespace, key.name)
        if manifest is None or manifest["metadata"].get("deletionTimestamp"):
            return None
        now = datetime.now(UTC)
        try:
            obj = TYPES[key.kind].model_validate(manifest)
            outcome = await self._decide(obj, now.replace(microsecond=0))
        except ValidationError as error:
            await self._applier.unreadable(manifest, _first(error), now)
            raise Retry(f"can't be read: {_first(error)}") from error
        await self._applier.carry_out(manifest, obj, outcome, now.replace(microsecond=0))
        return (outcome.again_at - now).total_seconds() if outcome.again_at else None

    async def _decide(self, obj: Kind, now: datetime) -> Outcome:
        if isinstance(obj, TrainingJob):
            return decide_training_job(obj, await self._observer.training_job(obj), now)
        if isinstance(obj, ModelDeployment):
            return decide_deployment(obj, await self._observer.deployment(obj), now)
        assert isinstance(obj, LanguageModel)
        return decide_language_model(obj, await self._observer.language_model(obj), now)


def _first(error: ValidationError) -> str:
    """The first thing that is wrong, and where."""
    found = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, found['loc']))}: {found['msg']}"
