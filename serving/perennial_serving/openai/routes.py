"""OpenAI's routes."""

from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from perennial_serving.engine.served_model import Served
from perennial_serving.engine.task import LoadedModel
from perennial_serving.generation.task import TextGeneration
from perennial_serving.http.submission import read_body
from perennial_serving.openai.answers import ChatAnswer, TextAnswer
from perennial_serving.openai.prompts import chat_prompt, completion_prompt
from perennial_serving.openai.requests import ChatRequest, CompletionRequest, R, parse
from perennial_serving.openai.streaming import Answering, collect, events


class OpenAi:
    """Completions and chat, for models of text generation."""

    def __init__(self, served: Served) -> None:
        self._served = served

    def routes(self) -> list[Route]:
        return [
            Route("/v1/completions", self.completions, methods=["POST"]),
            Route("/v1/chat/completions", self.chat_completions, methods=["POST"]),
        ]

    async def completions(self, request: Request) -> Response:
        return await self._answer(request, CompletionRequest, completion_prompt, TextAnswer)

    async def chat_completions(self, request: Request) -> Response:
        return await self._answer(request, ChatRequest, chat_prompt, ChatAnswer)

    async def _answer(
        self,
        request: Request,
        kind: type[R],
        encode: Callable[[R, LoadedModel], tuple[list[int], int]],
        shape: type[TextAnswer],
    ) -> Response:
        body = await read_body(request)
        self._served.task(TextGeneration)
        asked = parse(kind, body)
        loaded = self._served.named(asked.model)
        prompt, limit = await run_in_threadpool(encode, asked, loaded)
        answering = Answering(self._served.engine, loaded, asked, prompt, limit)
        if not asked.stream:
            return JSONResponse(await collect(request, answering, shape(loaded)))
        include_usage = bool(asked.stream_options and asked.stream_options.include_usage)
        stream = events(answering, shape(loaded), include_usage)
        return StreamingResponse(stream, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})
