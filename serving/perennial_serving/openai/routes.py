"""OpenAI's API: completions and chat completions."""

from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from perennial_serving.engine.task import LoadedModel, RequestQueue, TaskApi
from perennial_serving.errors import openai_error_body
from perennial_serving.http.served_model import ServedModel
from perennial_serving.http.submission import read_body
from perennial_serving.openai.prompts import chat_prompt, completion_prompt
from perennial_serving.openai.requests import ChatRequest, CompletionRequest, R, parse
from perennial_serving.openai.responses import ChatResponse, CompletionResponse
from perennial_serving.openai.streaming import TextAnswer, collect, events


class OpenAiRoutes:
    """Completions and chat, for text generation models."""

    def __init__(self, queue: RequestQueue) -> None:
        self._queue = queue
        self._served = ServedModel(queue)

    def routes(self) -> list[Route]:
        return [
            Route("/v1/completions", self.completions, methods=["POST"]),
            Route("/v1/chat/completions", self.chat_completions, methods=["POST"]),
        ]

    async def completions(self, request: Request) -> Response:
        return await self._answer(request, CompletionRequest, completion_prompt, CompletionResponse)

    async def chat_completions(self, request: Request) -> Response:
        return await self._answer(request, ChatRequest, chat_prompt, ChatResponse)

    async def _answer(
        self,
        request: Request,
        request_type: type[R],
        encode: Callable[[R, LoadedModel], tuple[list[int], int]],
        response_type: type[CompletionResponse],
    ) -> Response:
        body = await read_body(request)
        self._served.task_of(API)
        typed_request = parse(request_type, body)
        loaded = self._served.named(typed_request.model)
        prompt, max_tokens = await run_in_threadpool(encode, typed_request, loaded)
        answer = TextAnswer(self._queue, loaded, typed_request, prompt, max_tokens)
        response = response_type(loaded)
        if not typed_request.stream:
            return JSONResponse(await collect(request, answer, response))
        include_usage = bool(typed_request.stream_options and typed_request.stream_options.include_usage)
        stream = events(answer, response, include_usage)
        return StreamingResponse(stream, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})


API = TaskApi(
    usage="call POST /v1/completions or /v1/chat/completions, OpenAI's API",
    routes=lambda queue: OpenAiRoutes(queue).routes(),
    error_body=openai_error_body,
)
