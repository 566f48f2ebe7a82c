"""The step of inference: each computes one batch of inputs, drawn fairly from the running requests."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from typing import Generic, TypeVar

from perennial_serving.engine.metrics import Metrics
from perennial_serving.inference.encoded_input import EncodedInput

InputT = TypeVar("InputT", bound=EncodedInput)
ResultT = TypeVar("ResultT")
IsCancelled = Callable[[], list[bool]]


@dataclass(eq=False)
class Inference(Generic[InputT, ResultT]):
    """One request on its way through the engine. `results` are those of its first inputs."""

    inputs: Sequence[InputT]
    deliver: Callable[[list[ResultT] | Exception], object]
    cancelled: bool = False
    results: list[ResultT] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return len(self.results) == len(self.inputs)


class InferenceComputation(Generic[InputT, ResultT]):
    """A request with many inputs takes several steps, which it shares with other requests."""

    def __init__(
        self,
        compute: Callable[[Sequence[InputT], IsCancelled], list[ResultT]],
        generated_tokens: Callable[[ResultT], int],
        places: int,
        metrics: Metrics,
    ) -> None:
        self._compute = compute
        self._generated_tokens = generated_tokens
        self._places = places
        self._metrics = metrics

    def step(self, running: Sequence[Inference[InputT, ResultT]]) -> list[Inference[InputT, ResultT]]:
        """Computes the next batch; returns the requests that are complete."""
        batch = next_batch(running, self._places)
        results = self._compute([item for _, item in batch], lambda: [request.cancelled for request, _ in batch])
        self._metrics.prompts_read(len(item.ids) for _, item in batch)
        self._metrics.generated_tokens.inc(sum(map(self._generated_tokens, results)))
        for (request, _), result in zip(batch, results, strict=True):
            request.results.append(result)
        ended = [request for request in running if request.complete and not request.cancelled]
        for request in ended:
            request.deliver(request.results)
        return ended


def next_batch(
    requests: Sequence[Inference[InputT, ResultT]], places: int
) -> list[tuple[Inference[InputT, ResultT], InputT]]:
    """One input of each request, then a second one of each, and so on until the places are taken."""
    waiting = [[(request, item) for item in request.inputs[len(request.results) :][:places]] for request in requests]
    return [pair for pair in chain.from_iterable(zip_longest(*waiting)) if pair][:places]
