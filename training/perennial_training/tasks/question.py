"""One output of a model on one example, whose dependence on the tokens is to be explained."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

EXAMPLES = 4
TOKENS = 64


@dataclass(frozen=True)
class Question:
    """ids: [tokens]; score: embeddings [batch, tokens, hidden] to numbers [batch]; output: that number in words."""

    ids: list[int]
    score: Callable[[Tensor], Tensor]
    output: str
