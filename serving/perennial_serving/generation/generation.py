"""One text generation on its way through the engine, and the pieces of its answer."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, cast

from perennial_serving.engine.task import LoadedModel
from perennial_serving.generation.sampling import Sampler
from perennial_serving.generation.text_stream import TextStream

CONTEXT_FOR_DECODING = 5  # last tokens of the prompt that the decoder reads before the answer

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True)
class Piece:
    """The text that one token adds, often none yet. The last piece has a finish reason."""

    text: str
    finish_reason: FinishReason | None = None


class Generation:
    """The token ids of a prompt, how to sample more, and when to stop.

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
        self._end_tokens = end_tokens(loaded)
        self._text = TextStream(decoder(loaded), prompt[-CONTEXT_FOR_DECODING:], stops)

    def take(self, token: int) -> bool:
        """Adds a token and delivers the text that is final; returns whether the answer has ended."""
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


def end_tokens(loaded: LoadedModel) -> frozenset[int]:
    """The tokens that end an answer."""
    configured = loaded.model.generation_config.eos_token_id if loaded.model.generation_config else None
    tokens = configured if isinstance(configured, list) else [configured, loaded.tokenizer.eos_token_id]
    return frozenset(token for token in tokens if token is not None)


def decoder(loaded: LoadedModel) -> Callable[[list[int]], str]:
    """From token ids to text."""
    decode = cast(Callable[..., str], loaded.tokenizer.decode)
    return partial(decode, skip_special_tokens=True, clean_up_tokenization_spaces=False)
