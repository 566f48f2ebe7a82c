"""From logits to the likeliest answers in a context."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from tokenizers import Encoding
from torch import Tensor

from perennial_serving.inference.row import Row


@dataclass(frozen=True, eq=False, kw_only=True)
class Window(Row):
    """Question and context, or a part of the context.

    `types` [tokens] tell the two apart; `inside` [tokens] is true at the tokens of the context, `spans` [tokens, 2] are
    their characters' places in it.
    """

    types: Tensor
    inside: Tensor
    spans: Tensor

    @classmethod
    def of(cls, encoding: Encoding, number: int) -> Self:
        return cls(
            torch.tensor(encoding.ids),
            number,
            types=torch.tensor(encoding.type_ids),
            inside=torch.tensor([of == 1 for of in encoding.sequence_ids]),
            spans=torch.tensor(encoding.offsets, dtype=torch.int32),
        )


def best_spans(
    context: str, windows: Sequence[Window], logits: Sequence[Tensor], longest: int, count: int
) -> list[dict[str, Any]]:
    """The `count` likeliest answers, each once, the best first: {"answer", "start", "end", "score"}.

    `logits` [2, tokens] of each window are of an answer's first and its last token, of which it has `longest` at most.
    The best answer has the highest sum of both over all windows, as in training. `score` is p(start) · p(end), each
    over all tokens of the context in all windows.
    """
    inside = torch.cat([each[:, window.inside] for window, each in zip(windows, logits, strict=True)], dim=1)
    total = inside.logsumexp(1).sum().item()
    best: dict[tuple[int, int], float] = {}
    for window, each in zip(windows, logits, strict=True):
        for score, first, last in _best(window, each, longest, count):
            span = _stripped(context, int(window.spans[first, 0]), int(window.spans[last, 1]))
            best[span] = max(score, best.get(span, score))
    ranked = sorted(best.items(), key=lambda item: -item[1])[:count]
    return [_answer(context, span, score - total) for span, score in ranked]


def _best(window: Window, logits: Tensor, longest: int, count: int) -> list[tuple[float, int, int]]:
    """The sum of the logits, the first and the last token of a window's best spans."""
    tokens = len(window.ids)
    possible = torch.ones(tokens, tokens).triu().tril(longest - 1).bool()
    possible &= window.inside[:, None] & window.inside[None, :]
    sums = (logits[0][:, None] + logits[1][None, :]).masked_fill(~possible, -torch.inf).flatten()
    scores, places = sums.topk(min(count, int(possible.sum())))
    return [(score, *divmod(place, tokens)) for score, place in zip(scores.tolist(), places.tolist(), strict=True)]


def _answer(context: str, span: tuple[int, int], logarithm: float) -> dict[str, Any]:
    start, end = span
    return {"answer": context[start:end], "start": start, "end": end, "score": math.exp(logarithm)}


def _stripped(context: str, start: int, end: int) -> tuple[int, int]:
    """Without the spaces around it, which many tokenizers count to the word."""
    text = context[start:end]
    start += len(text) - len(text.lstrip())
    return start, start + len(text.strip())
