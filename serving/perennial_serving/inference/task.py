"""What the tasks have in common whose inputs are rows."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from tokenizers import Tokenizer
from torch import Tensor

from perennial_serving.engine.metrics import Metrics
from perennial_serving.engine.task import LoadedModel, Task
from perennial_serving.inference.computation import RowComputation
from perennial_serving.inference.requests import InferenceRequest
from perennial_serving.inference.row import Row


class RowTask(Task):
    """`request` is what is understood, `trial` the smallest one with two inputs, one longer than the other.

    Texts become tokens as in training: by the plain tokenizer of tokenizer.json.
    """

    route = 'ask POST / with {"inputs": …}, as huggingface_hub\'s InferenceClient does'
    request: ClassVar[type[InferenceRequest]]
    trial: ClassVar[dict[str, Any]] = {"inputs": ["a", "a b"]}

    def __init__(self, loaded: LoadedModel, folder: Path) -> None:
        super().__init__(loaded, folder)
        self.model = loaded.model
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        self.tokenizer.encode_special_tokens = True  # a special token spelled out in a text is plain text

    @abstractmethod
    def encode(self, asked: Any) -> list[Row]:
        """The rows of a request, in the order of its inputs. Raises ApiError 400 where one can't be read."""

    @abstractmethod
    def logits(self, rows: Sequence[Row]) -> Tensor:
        """What the model makes of rows, [rows, …] in float32 on the CPU."""

    @abstractmethod
    def compute(self, rows: Sequence[Row], gone: Callable[[], list[bool]]) -> list[Any]:
        """A result for each row. `gone` says for which of them nobody waits any more: theirs don't matter."""

    @abstractmethod
    def answer(self, asked: Any, rows: Sequence[Row], results: Sequence[Any]) -> Any:
        """The JSON of the whole answer."""

    def written(self, result: Any) -> int:
        """Tokens that were generated for a result."""
        return 0

    def computation(self, places: int, metrics: Metrics) -> RowComputation:
        return RowComputation(self.compute, self.written, places, metrics)

    def try_out(self) -> Tensor:
        rows = self.encode(self.request.model_validate(self.trial))
        self.compute(rows, lambda: [False] * len(rows))
        return self.logits(rows)
