"""The routes: OpenAI's API for text generation, health and metrics."""

from collections.abc import Callable

from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from perennial_serving.answering import Answering, collect, events
from perennial_serving.answers import ChatAnswer, TextAnswer, model_card
from perennial_serving.engine import Engine
from perennial_serving.errors import ApiError
from perennial_serving.metrics import Metrics
from perennial_serving.model import LoadedModel
from perennial_serving.prompts import chat_prompt, completion_prompt
from perennial_serving.requests import ChatRequest, CompletionRequest, R, parse

MAX_BODY_BYTES = 8 * 1024 * 1024
CLIENT_WENT_AWAY = 499  # nginx's code; nobody receives it, the metrics count it


class Api:
    """The handlers of one server; `draining` tells whether it is on its way out."""

    def __init__(self, engine: Engine, metrics: Metrics, draining: Callable[[], bool]) -> None:
        self._engine = engine
        self._metrics = metrics
        self._draining = draining

    def app(self) -> Starlette:
        routes = [
            Route("/v1/completions", self.completions, methods=["POST"]),
            Route("/v1/chat/completions", self.chat_completions, methods=["POST"]),
            Route("/v1/models", self.models),
            Route("/v1/models/{id:path}", self.model),
            Route("/health/live", self.live),
            Route("/health/ready", self.ready),
            Route("/metrics", self.metrics),
        ]
        handlers = {
            ApiError: lambda _, error: error.response(),
            HTTPException: _http_error,
            ClientDisconnect: lambda _, error: Response(status_code=CLIENT_WENT_AWAY),
            Exception: lambda _, error: ApiError(500, "the server failed; its log says why").response(),
        }
        return Starlette(routes=routes, exception_handlers=handlers)

    async def completions(self, request: Request) -> Response:
        return await self._answer(request, CompletionRequest, completion_prompt, TextAnswer)

    async def chat_completions(self, request: Request) -> Response:
        return await self._answer(request, ChatRequest, chat_prompt, ChatAnswer)

    async def models(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [model_card(self._loaded())]})

    async def model(self, request: Request) -> Response:
        return JSONResponse(model_card(self._named(request.path_params["id"])))

    async def live(self, request: Request) -> Response:
        return _health(None if self._engine.alive else "the engine has stopped")

    async def ready(self, request: Request) -> Response:
        if self._draining():
            return _health("shutting down")
        return _health(None if self._engine.alive and self._engine.loaded else "the model is being loaded")

    async def metrics(self, request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(self._metrics.registry), headers={"content-type": content_type})

    async def _answer(
        self,
        request: Request,
        kind: type[R],
        encode: Callable[[R, LoadedModel], tuple[list[int], int]],
        shape: type[TextAnswer],
    ) -> Response:
        asked = parse(kind, await _body(request))
        loaded = self._named(asked.model)
        prompt, limit = await run_in_threadpool(encode, asked, loaded)
        answering = Answering(self._engine, loaded, asked, prompt, limit)
        if not asked.stream:
            return JSONResponse(await collect(request, answering, shape(loaded)))
        include_usage = bool(asked.stream_options and asked.stream_options.include_usage)
        stream = events(answering, shape(loaded), include_usage)
        return StreamingResponse(stream, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})

    def _loaded(self) -> LoadedModel:
        if self._engine.loaded is None:
            message = "the model is still being loaded; try again in a moment"
            raise ApiError(503, message, code="model_not_ready", retry_after_seconds=1)
        return self._engine.loaded

    def _named(self, name: str) -> LoadedModel:
        loaded = self._loaded()
        if name != loaded.name:
            message = f"the model {name!r} does not exist here; this server has {loaded.name!r}"
            raise ApiError(404, message, "model", "model_not_found")
        return loaded


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise ApiError(413, f"the body is larger than {MAX_BODY_BYTES} bytes")
    return bytes(body)


def _health(problem: str | None) -> Response:
    return PlainTextResponse(problem or "ok", 503 if problem else 200)


async def _http_error(request: Request, error: Exception) -> Response:
    """Routing errors (404, 405) in the shape that clients read."""
    assert isinstance(error, HTTPException)
    message = f"{request.method} {request.url.path}: {error.detail}"
    response = ApiError(error.status_code, message).response()
    response.headers.update(error.headers or {})
    return response
