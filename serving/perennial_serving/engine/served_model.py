"""The model in service, as the routes see it."""

from typing import Any, TypeVar

from perennial_serving.engine.engine import Engine
from perennial_serving.engine.task import LoadedModel, Task
from perennial_serving.http.errors import ApiError

T = TypeVar("T", bound=Task)


class Served:
    """Each method raises ApiError where what is asked for is not here: 503 while the model is being loaded."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def any(self) -> Task:
        if self.engine.task is None:
            message = "the model is still being loaded; try again in a moment"
            raise ApiError(503, message, code="model_not_ready", retry_after_seconds=1)
        return self.engine.task

    def task(self, kind: type[T]) -> T:
        """The task, if it is of this kind."""
        found = self.any()
        if not isinstance(found, kind):
            message = f"{found.loaded.name!r} is a model for {found.loaded.task}; {found.route}"
            raise ApiError(400, message, code="wrong_task")
        return found

    def named(self, name: str) -> LoadedModel:
        """The model, if this is its name."""
        loaded = self.any().loaded
        if name != loaded.name:
            message = f"the model {name!r} does not exist here; this server has {loaded.name!r}"
            raise ApiError(404, message, "model", "model_not_found")
        return loaded


def model_card(loaded: LoadedModel) -> dict[str, Any]:
    """The model in /v1/models: OpenAI's fields, and what says which artifact answers, and what it is for."""
    return {
        "id": loaded.name,
        "object": "model",
        "created": loaded.created,
        "owned_by": "perennial",
        "task": loaded.task,
        "version": loaded.version,
        "digest": loaded.digest,
        "max_model_len": loaded.context_length,
    }
