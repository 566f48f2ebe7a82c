"""From tokens to text while they come: whole characters only, and nothing of a stop sequence."""

from collections.abc import Callable, Sequence

INCOMPLETE = "\ufffd"  # what a decoder makes of the first bytes of a character


class TextStream:
    """The text of one answer. The pieces of `push` and `finish` joined are the same however they are sent.

    `decode` turns token ids into text; `context` is the prompt's last tokens, which some decoders need to
    keep a leading space; `stops` are the sequences that end the answer and are not part of it.
    """

    def __init__(
        self, decode: Callable[[list[int]], str], context: Sequence[int] = (), stops: Sequence[str] = ()
    ) -> None:
        self._decode = decode
        self._stops = stops
        self._tokens = list(context)
        self._start, self._read = 0, len(self._tokens)
        self._held = ""
        self.stopped = False

    def push(self, token: int) -> str:
        """Takes the next token; returns the text that is certain now, often none."""
        self._tokens.append(token)
        return self._release(self._new_text(), final=False)

    def finish(self) -> str:
        """The text that was held back, once no more tokens come."""
        return self._release(self._new_text(final=True), final=True)

    def _new_text(self, final: bool = False) -> str:
        # Decoding a window of two pieces gives what the second adds after the first, at a bounded cost.
        before = self._decode(self._tokens[self._start : self._read])
        text = self._decode(self._tokens[self._start :])
        if text.endswith(INCOMPLETE) and not final:
            return ""
        self._start, self._read = self._read, len(self._tokens)
        return text[len(before) :]

    def _release(self, text: str, final: bool) -> str:
        text = self._held + text
        hits = [place for stop in self._stops if (place := text.find(stop)) >= 0]
        if hits:
            self.stopped, self._held = True, ""
            return text[: min(hits)]
        certain = len(text) if final else len(text) - self._possible_stop(text)
        self._held = text[certain:]
        return text[:certain]

    def _possible_stop(self, text: str) -> int:
        """Length of the longest end of `text` with which a stop sequence may begin."""
        beginnings = (stop[:length] for stop in self._stops for length in range(1, len(stop)))
        return max((len(beginning) for beginning in beginnings if text.endswith(beginning)), default=0)
