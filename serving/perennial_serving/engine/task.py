"""The protocol of a served task. `perennial_serving.tasks` is the registry of its implementations."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from starlette.routing import Route
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from perennial_serving.engine.metrics import Metrics
from perennial_serving.errors import ErrorBody


@dataclass(frozen=True)
class LoadedModel:
    """The model of one artifact. `context_length` counts tokens, `created` is Unix time."""

    name: str
    version: str
    digest: str
    created: int
    task: str
    model: PreTrainedModel = field(repr=False)
    tokenizer: PreTrainedTokenizerBase = field(repr=False)
    context_length: int

    @property
    def fingerprint(self) -> str:
        return f"v{self.version}-{self.digest.removeprefix('sha256:')[:12]}"


class EngineRequest(Protocol):
    """A request on its way through the engine.

    `deliver` is called on the engine's thread with the answer, with a part of it, or with the exception that ends the
    request. Nothing more is computed for a request that is `cancelled`.
    """

    cancelled: bool

    @property
    def deliver(self) -> Callable[[Any], object]: ...


RequestT = TypeVar("RequestT", bound=EngineRequest)


class Computation(Protocol[RequestT]):
    """The step that the engine repeats while requests run."""

    def step(self, running: Sequence[RequestT]) -> list[RequestT]:
        """Advances the requests, oldest first, and returns those that have ended."""


class RequestQueue(Protocol):
    """The engine as a route sees it. `task` is None until the model is loaded."""

    @property
    def task(self) -> "Task | None": ...

    def submit(self, request: EngineRequest) -> None:
        """Queues a request. Raises QueueFull or EngineStopped."""

    def cancel(self, request: EngineRequest) -> None:
        """Frees the place of a request; a no-op for one that has ended."""


@dataclass(frozen=True)
class TaskApi:
    """An HTTP API, which several tasks may share: its routes, and the shape of the errors on their paths.

    `usage` is half a sentence that tells a client how to call it.
    """

    usage: str
    routes: Callable[[RequestQueue], Sequence[Route]]
    error_body: ErrorBody


class Task(ABC):
    """A task, as the loaded model performs it.

    `api` is how clients ask for it, `auto` the class of transformers that loads its models, `reads_beyond_training`
    whether inputs may be longer than those of the training.
    """

    api: ClassVar[TaskApi]
    auto: ClassVar[Any]
    reads_beyond_training: ClassVar[bool] = False

    def __init__(self, loaded: LoadedModel, folder: Path) -> None:
        self.loaded = loaded

    @abstractmethod
    def computation(self, places: int, metrics: Metrics) -> Computation[Any]:
        """A new computation of at most `places` sequences at a time."""

    @abstractmethod
    def warm_up(self) -> Tensor:
        """Logits of two inputs of different length in one batch. Raises whatever a model that can't batch raises."""
