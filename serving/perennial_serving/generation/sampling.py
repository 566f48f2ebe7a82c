"""From logits to the next token of each row.

Each request has its own random generator, so a seed gives the same answer whatever else is in the batch.
"""

import torch
from torch import Tensor

GREEDY_BELOW = 1e-4  # lower temperatures leave only the best token


class Sampler:
    """Sampling with temperature (0: greedy), nucleus `top_p`, and an optional seed."""

    def __init__(self, temperature: float = 1.0, top_p: float = 1.0, seed: int | None = None) -> None:
        self.temperature = temperature
        self.top_p = top_p
        self._generator = torch.Generator()
        if seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(seed)

    @property
    def greedy(self) -> bool:
        return self.temperature < GREEDY_BELOW

    def pick(self, logits: Tensor) -> int:
        """Samples a token from logits [vocabulary], on the CPU."""
        probabilities = ((logits - logits.max()) / self.temperature).softmax(-1)
        if self.top_p == 1:
            return int(torch.multinomial(probabilities, 1, generator=self._generator))
        ranked, tokens = probabilities.sort(descending=True)
        # A token stays while those before it do not reach top_p, so the best one always stays.
        ranked[ranked.cumsum(-1) - ranked >= self.top_p] = 0
        return int(tokens[torch.multinomial(ranked, 1, generator=self._generator)])


def choose(logits: Tensor, samplers: list[Sampler]) -> list[int]:
    """The next token of each row, from logits [rows, vocabulary]."""
    best: list[int] = logits.argmax(-1).tolist()
    if all(sampler.greedy for sampler in samplers):
        return best
    logits = logits.float().cpu()
    return [
        token if sampler.greedy else sampler.pick(row)
        for token, sampler, row in zip(best, samplers, logits, strict=True)
    ]
