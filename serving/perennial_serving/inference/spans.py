"""From logits to the likeliest spans of a context."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from tokenizers import Encoding
from torch import Tensor

from perennial_serving.errors import Json
from perennial_serving.inference.encoded_input import EncodedInput


@dataclass(frozen=True, eq=False, kw_only=True)
class Window(EncodedInput):
    """A question with its context, or with a part of it.

    `types` [tokens] distinguish question and context; `inside` [tokens] is true for tokens of the context; `spans`
    [tokens, 2] are their character positions in it.
    """

    types: Tensor
    inside: Tensor
    spans: Tensor

    @classmethod
    def of(cls, encoding: Encoding, index: int) -> Self:
        return cls(
            torch.tensor(encoding.ids),
            index,
            types=torch.tensor(encoding.type_ids),
            inside=torch.tensor([sequence == 1 for sequence in encoding.sequence_ids]),
            spans=torch.tensor(encoding.offsets, dtype=torch.int32),
        )


def best_spans(
    context: str, windows: Sequence[Window], logits: Sequence[Tensor], max_tokens: int, count: int
) -> list[Json]:
    """The `count` likeliest distinct answers, best first: {"answer", "start", "end", "score"}.

    `logits` [2, tokens] of each window are those of an answer's first and last token; an answer has at most
    `max_tokens`. The best answer has the highest sum of both over all windows, as in training. `score` is
    p(start) · p(end), each over all tokens of the context in all windows.
    """
    inside = torch.cat([each[:, window.inside] for window, each in zip(windows, logits, strict=True)], dim=1)
    total = inside.logsumexp(1).sum().item()
    best: dict[tuple[int, int], float] = {}
    for window, each in zip(windows, logits, strict=True):
        for score, first, last in _best(window, each, max_tokens, count):
            span = _stripped(context, int(window.spans[first, 0]), int(window.spans[last, 1]))
            best[span] = max(score, best.get(span, score))
    ranked = sorted(best.items(), key=lambda item: -item[1])[:count]
    return [_answer(context, span, score - total) for span, score in ranked]


def _best(window: Window, logits: Tensor, max_tokens: int, count: int) -> list[tuple[float, int, int]]:
    """Sum of logits, first and last token of the best spans of a window."""
    tokens = len(window.ids)
    possible = torch.ones(tokens, tokens).triu().tril(max_tokens - 1).bool()
    possible &= window.inside[:, None] & window.inside[None, :]
    sums = (logits[0][:, None] + logits[1][None, :]).masked_fill(~possible, -torch.inf).flatten()
    scores, places = sums.topk(min(count, int(possible.sum())))
    return [(score, *divmod(place, tokens)) for score, place in zip(scores.tolist(), places.tolist(), strict=True)]


def _answer(context: str, span: tuple[int, int], log_probability: float) -> Json:
    start, end = span
    return {"answer": context[start:end], "start": start, "end": end, "score": math.exp(log_probability)}


def _stripped(context: str, start: int, end: int) -> tuple[int, int]:
    """The span without surrounding whitespace, which many tokenizers count as part of a word."""
    text = context[start:end]
    start += len(text) - len(text.lstrip())
    return start, start + len(text.strip())
