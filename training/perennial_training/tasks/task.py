"""What a task must offer. This half needs no torch, so that bad data is refused before that is loaded."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Generic

from perennial_contract.exits import BAD_DATA, Failure
from perennial_training.data.example import Example
from perennial_training.data.roles import Roles
from perennial_training.encoding.rows import Rows
from perennial_training.encoding.tokenizer import Layout, Vocabulary
from perennial_training.prepared import Encoded, Prepared

if TYPE_CHECKING:
    from perennial_training.tasks.objective import Objective


class Task(ABC, Generic[Encoded]):
    """How the examples of a task become tokens.

    roles: parts of an example; layout: special tokens around a text; pipeline: the hub's name of the task.
    """

    roles: ClassVar[Roles]
    layout: ClassVar[Layout]
    pipeline: ClassVar[str]

    def labels(self, examples: list[Example], known: list[str] | None) -> list[str] | None:
        """The classes in their order, given those that the base model knows; None for a task without."""
        return None

    @abstractmethod
    def encode(
        self, examples: list[Example], vocabulary: Vocabulary, context: int, labels: list[str] | None
    ) -> Encoded:
        """Examples as the model reads them."""

    @abstractmethod
    def refuse_too_few(self, train: Encoded, context: int, batch_size: int) -> None:
        """Raises exits.Failure where the examples do not fill one batch."""

    @abstractmethod
    def objective(self, prepared: Prepared[Encoded]) -> "Objective[Encoded, Any]":
        """The other half: model, loss and metrics. Loads torch."""


class RowTask(Task[Rows]):
    """A task whose examples stay apart, each in a row (or several) of its own."""

    def refuse_too_few(self, train: Rows, context: int, batch_size: int) -> None:
        if len(train.rows) < batch_size:
            raise Failure(
                "CorpusTooSmall",
                f"the training data has {len(train.rows):,} examples, and one batch needs {batch_size:,}; "
                "give more data or a smaller batchSize",
                BAD_DATA,
            )
