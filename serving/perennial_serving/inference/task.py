"""The protocol of the tasks with independent inputs."""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from tokenizers import Tokenizer
from torch import Tensor

from perennial_serving.engine.metrics import Metrics
from perennial_serving.engine.task import LoadedModel, Task
from perennial_serving.errors import Json
from perennial_serving.inference.batching import InferenceComputation, InputT, IsCancelled, ResultT
from perennial_serving.inference.requests import InferenceRequest

RequestT = TypeVar("RequestT", bound=InferenceRequest)


class InferenceTask(Task, Generic[RequestT, InputT, ResultT]):
    """`request` is the type of its requests; `sample_request` has two inputs, one longer than the other.

    Texts are tokenized as in training: by the plain tokenizer of tokenizer.json.
    """

    request: type[RequestT]
    sample_request: ClassVar[Json] = {"inputs": ["a", "a b"]}

    def __init__(self, loaded: LoadedModel, folder: Path) -> None:
        super().__init__(loaded, folder)
        self.model = loaded.model
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        self.tokenizer.encode_special_tokens = True  # a special token spelled out in a text is plain text

    @abstractmethod
    def encode(self, request: RequestT) -> list[InputT]:
        """The encoded inputs, in the order of the request. Raises ApiError 400 for an input that doesn't fit."""

    @abstractmethod
    def logits(self, inputs: Sequence[InputT]) -> Tensor:
        """The model's output for a batch, [inputs, …] in float32 on the CPU."""

    @abstractmethod
    def compute(self, inputs: Sequence[InputT], cancelled: IsCancelled) -> list[ResultT]:
        """One result per input. `cancelled` tells for which inputs the result is no longer needed."""

    @abstractmethod
    def answer(self, request: RequestT, inputs: Sequence[InputT], results: Sequence[ResultT]) -> Any:
        """The JSON of the response."""

    def generated_tokens(self, result: ResultT) -> int:
        """Number of tokens generated for a result."""
        return 0

    def computation(self, places: int, metrics: Metrics) -> InferenceComputation[InputT, ResultT]:
        return InferenceComputation(self.compute, self.generated_tokens, places, metrics)

    def warm_up(self) -> Tensor:
        inputs = self.encode(self.request.model_validate(self.sample_request))
        self.compute(inputs, lambda: [False] * len(inputs))
        return self.logits(inputs)
