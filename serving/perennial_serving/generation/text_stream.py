"""From tokens to text while they are generated: whole characters only, and no part of a stop sequence."""

from collections.abc import Callable, Sequence

INCOMPLETE = "\ufffd"  # how a decoder renders the first bytes of a character


class TextStream:
    """The text of one answer: the pieces of `push` and `finish`, joined.

    `decode` turns token ids into text. `context` holds the last tokens of the prompt, which some decoders need to keep
    a leading space. `stops` are the sequences that end the answer and are not part of it.
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
        """Adds a token; returns the text that became final, often none."""
        self._tokens.append(token)
        return self._release(self._new_text(), final=False)

    def finish(self) -> str:
        """The text that was held back, after the last token."""
        return self._release(self._new_text(final=True), final=True)

    def _new_text(self, final: bool = False) -> str:
        # Decoding a window of two pieces shows what the second adds, at a bounded cost.
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
        """Length of the longest suffix of `text` that begins a stop sequence."""
        beginnings = (stop[:length] for stop in self._stops for length in range(1, len(stop)))
        return max((len(beginning) for beginning in beginnings if text.endswith(beginning)), default=0)
