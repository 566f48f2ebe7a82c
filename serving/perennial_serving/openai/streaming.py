"""Between the event loop and the engine's thread: the text of one answer, collected or streamed."""

import asyncio
import json
from collections.abc import AsyncIterator

from starlette.requests import Request

from perennial_serving.engine.task import LoadedModel, RequestQueue
from perennial_serving.errors import ApiError, Json, openai_error_body
from perennial_serving.generation.generation import FinishReason, Generation, Piece
from perennial_serving.generation.sampling import Sampler
from perennial_serving.http.submission import api_error, submit, unless_disconnected
from perennial_serving.openai.requests import TextRequest
from perennial_serving.openai.responses import CompletionResponse, usage


class TextAnswer:
    """The text of one request as it is generated. `close` frees its place and must be called at the end."""

    def __init__(
        self, queue: RequestQueue, loaded: LoadedModel, request: TextRequest, prompt: list[int], max_tokens: int
    ) -> None:
        loop = asyncio.get_running_loop()
        self._pieces: asyncio.Queue[Piece | Exception] = asyncio.Queue()
        self._queue = queue
        self._prompt_tokens = len(prompt)
        self._tokens = 0
        self._generation = Generation(
            prompt,
            max_tokens,
            Sampler(request.temperature, request.top_p, request.seed),
            request.stop,
            loaded,
            deliver=lambda piece: loop.call_soon_threadsafe(self._pieces.put_nowait, piece),
        )
        submit(queue, self._generation)

    def close(self) -> None:
        self._queue.cancel(self._generation)

    async def text(self) -> AsyncIterator[tuple[str, FinishReason | None]]:
        """The text in parts; pieces that arrive together are one part. Raises ApiError."""
        reason: FinishReason | None = None
        while reason is None:
            pieces = [await self._pieces.get()]
            while not self._pieces.empty():
                pieces.append(self._pieces.get_nowait())
            text = ""
            for piece in pieces:
                if isinstance(piece, Exception):
                    raise api_error(piece)
                text, reason = text + piece.text, piece.finish_reason
                self._tokens += 1
            if text or reason:
                yield text, reason

    def usage(self) -> Json:
        return usage(self._prompt_tokens, self._tokens)


async def collect(request: Request, answer: TextAnswer, response: CompletionResponse) -> Json:
    """The complete response. Raises ClientDisconnect when the client disconnects first."""
    try:
        return await unless_disconnected(request, _complete(answer, response))
    finally:
        answer.close()


async def events(answer: TextAnswer, response: CompletionResponse, include_usage: bool) -> AsyncIterator[str]:
    """The response as server-sent events up to [DONE]; an error on the way is an event too."""
    no_usage_yet = {"usage": None} if include_usage else {}
    try:
        if first := response.first_chunk():
            yield _event(first | no_usage_yet)
        async for text, reason in answer.text():
            if text:
                yield _event(response.chunk(text) | no_usage_yet)
            if reason:
                yield _event(response.chunk("", reason) | no_usage_yet)
        if include_usage:
            yield _event(response.usage_chunk(answer.usage()))
        yield "data: [DONE]\n\n"
    except ApiError as error:
        yield _event(openai_error_body(error))
    finally:
        answer.close()


async def _complete(answer: TextAnswer, response: CompletionResponse) -> Json:
    parts: list[str] = []
    finish_reason: FinishReason | None = None
    async for text, reason in answer.text():
        parts.append(text)
        finish_reason = reason
    return response.complete("".join(parts), finish_reason, answer.usage())


def _event(document: Json) -> str:
    return f"data: {json.dumps(document, ensure_ascii=False, separators=(',', ':'))}\n\n"
