"""A model that answers, and what the server has to know of a task."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from perennial_serving.engine.metrics import Metrics


@dataclass(frozen=True)
class LoadedModel:
    """The model of one artifact; `context_length` counts tokens, `created` is Unix time."""

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


class Asked(Protocol):
    """A request on its way through the engine.

    `deliver` is called on the engine's thread with (a part of) the answer or the exception that ends it; once
    `cancelled` is true nothing more needs to be computed for it.
    """

    cancelled: bool
    deliver: Callable[[Any], object]


A = TypeVar("A", bound=Asked)


class Computation(Protocol[A]):
    """What the engine repeats while requests run."""

    def step(self, running: Sequence[A]) -> list[A]:
        """Takes the requests further, those that came first in front; returns those that have ended."""


class Task(ABC):
    """What a model is for: how it is loaded, computed and asked. There is one object for the loaded model.

    `auto` is the class of transformers that loads its models; `route` says in half a sentence how to ask;
    `beyond_training` whether inputs may be longer than those that it was trained with.
    """

    auto: ClassVar[Any]
    route: ClassVar[str]
    beyond_training: ClassVar[bool] = False

    def __init__(self, loaded: LoadedModel, folder: Path) -> None:
        self.loaded = loaded

    @abstractmethod
    def computation(self, places: int, metrics: Metrics) -> Computation[Any]:
        """A new one, for so many sequences at a time."""

    @abstractmethod
    def try_out(self) -> Tensor:
        """Logits for two inputs of different length together. Raises whatever a model raises that can't do that."""
