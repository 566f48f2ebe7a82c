"""The model in service, as the routes see it."""

from typing import Any

from perennial_serving.engine.task import LoadedModel, RequestQueue, Task, TaskApi
from perennial_serving.errors import ApiError


class ServedModel:
    """Access to the model in the engine. Each method raises ApiError 503 while the model is loading."""

    def __init__(self, queue: RequestQueue) -> None:
        self._queue = queue

    def task(self) -> Task:
        if self._queue.task is None:
            message = "the model is still loading; try again in a moment"
            raise ApiError(503, message, code="model_not_ready", retry_after_seconds=1)
        return self._queue.task

    def task_of(self, api: TaskApi) -> Task:
        """The task. Raises ApiError 400 unless clients ask for it through this API."""
        task = self.task()
        if task.api is not api:
            message = f"{task.loaded.name!r} is a model for {task.loaded.task}; {task.api.usage}"
            raise ApiError(400, message, code="wrong_task")
        return task

    def named(self, name: str) -> LoadedModel:
        """The model. Raises ApiError 404 unless this is its name."""
        loaded = self.task().loaded
        if name != loaded.name:
            message = f"the model {name!r} does not exist; this server serves {loaded.name!r}"
            raise ApiError(404, message, "model", "model_not_found")
        return loaded


def model_card(loaded: LoadedModel) -> dict[str, Any]:
    """The entry of /v1/models: OpenAI's fields, and which artifact answers for which task."""
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
