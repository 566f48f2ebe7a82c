"""Between the event loop and the engine's thread: one answer, collected or streamed."""

import asyncio
import json
from collections.abc import AsyncIterator

from starlette.requests import Request

from perennial_serving.engine.engine import Engine
from perennial_serving.engine.task import LoadedModel
from perennial_serving.generation.generation import FinishReason, Generation, Piece
from perennial_serving.generation.sampling import Sampler
from perennial_serving.http.errors import ApiError
from perennial_serving.http.submission import refused, submit, unless_gone
from perennial_serving.openai.answers import TextAnswer, usage
from perennial_serving.openai.requests import TextRequest


class Answering:
    """One request's answer while it comes. `close` gives its place free; it must be called in the end."""

    def __init__(
        self, engine: Engine, loaded: LoadedModel, request: TextRequest, prompt: list[int], limit: int
    ) -> None:
        loop = asyncio.get_running_loop()
        self._pieces: asyncio.Queue[Piece | Exception] = asyncio.Queue()
        self._engine = engine
        self._prompt_tokens = len(prompt)
        self._tokens = 0
        self._generation = Generation(
            prompt,
            limit,
            Sampler(request.temperature, request.top_p, request.seed),
            request.stop,
            loaded,
            deliver=lambda piece: loop.call_soon_threadsafe(self._pieces.put_nowait, piece),
        )
        submit(engine, self._generation)

    def close(self) -> None:
        self._engine.cancel(self._generation)

    async def text(self) -> AsyncIterator[tuple[str, FinishReason | None]]:
        """The text as it comes; what came since the last look is one part. Raises ApiError."""
        reason: FinishReason | None = None
        while reason is None:
            pieces = [await self._pieces.get()]
            while not self._pieces.empty():
                pieces.append(self._pieces.get_nowait())
            text = ""
            for piece in pieces:
                if isinstance(piece, Exception):
                    raise refused(piece)
                text, reason = text + piece.text, piece.finish_reason
                self._tokens += 1
            if text or reason:
                yield text, reason

    def usage(self) -> dict[str, int]:
        return usage(self._prompt_tokens, self._tokens)


async def collect(request: Request, answering: Answering, answer: TextAnswer) -> dict[str, object]:
    """The whole answer. Raises ClientDisconnect once nobody waits for it any more."""
    try:
        return await unless_gone(request, _whole(answering, answer))
    finally:
        answering.close()


async def events(answering: Answering, answer: TextAnswer, include_usage: bool) -> AsyncIterator[str]:
    """The answer as server-sent events, ended by [DONE]; an error in between is an event of its own."""
    no_usage_yet = {"usage": None} if include_usage else {}
    try:
        if opening := answer.opening():
            yield _event(opening | no_usage_yet)
        async for text, reason in answering.text():
            if text:
                yield _event(answer.chunk(text) | no_usage_yet)
            if reason:
                yield _event(answer.chunk("", reason) | no_usage_yet)
        if include_usage:
            yield _event(answer.usage_chunk(answering.usage()))
        yield "data: [DONE]\n\n"
    except ApiError as error:
        yield _event(error.body())
    finally:
        answering.close()


async def _whole(answering: Answering, answer: TextAnswer) -> dict[str, object]:
    parts, last = [], None
    async for text, reason in answering.text():
        parts.append(text)
        last = reason
    return answer.whole("".join(parts), last, answering.usage())


def _event(document: dict[str, object]) -> str:
    return f"data: {json.dumps(document, ensure_ascii=False, separators=(',', ':'))}\n\n"
