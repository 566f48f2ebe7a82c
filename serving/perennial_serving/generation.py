"""One request on its way through the engine, and the pieces of its answer."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from perennial_serving.model import LoadedModel
from perennial_serving.sampling import Sampler
from perennial_serving.text_stream import TextStream

CONTEXT_FOR_DECODING = 5  # tokens of the prompt that the decoder sees before the answer

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True)
class Piece:
    """What one token adds to an answer, often no text yet; the last piece has a finish reason."""

    text: str
    finish_reason: FinishReason | None = None


class Generation:
    """The token ids of a prompt, how to go on from there and when to end.

    `deliver` is called on the engine's thread with each piece, or with the exception that ends the answer.
    """

    def __init__(
        self,
        prompt: Sequence[int],
        max_tokens: int,
        sampler: Sampler,
        stops: Sequence[str],
        loaded: LoadedModel,
        deliver: Callable[[Piece | Exception], object],
    ) -> None:
        self.prompt = prompt
        self.sampler = sampler
        self.deliver = deliver
        self.submitted = time.perf_counter()
        self.cancelled = False
        self.last = 0
        self._left = max_tokens
        self._end_tokens = loaded.end_tokens
        self._text = TextStream(loaded.decode, prompt[-CONTEXT_FOR_DECODING:], stops)

    def take(self, token: int) -> bool:
        """Adds a token and delivers the text that is certain; returns whether the answer has ended."""
        self.last = token
        self._left -= 1
        ended = token in self._end_tokens
        text = "" if ended else self._text.push(token)
        if (ended or not self._left) and not self._text.stopped:
            text += self._text.finish()
        reason: FinishReason | None = None if self._left else "length"
        if ended or self._text.stopped:
            reason = "stop"
        self.deliver(Piece(text, reason))
        return reason is not None
