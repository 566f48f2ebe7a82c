"""The routes that every model has: what it is, health and metrics; and how errors are told."""

from collections.abc import Callable

from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from perennial_contract import pod
from perennial_serving.engine.engine import Engine
from perennial_serving.engine.metrics import Metrics
from perennial_serving.engine.served_model import Served, model_card
from perennial_serving.http.errors import ApiError
from perennial_serving.inference.routes import PATH, Inference
from perennial_serving.openai.routes import OpenAi

CLIENT_WENT_AWAY = 499  # nginx's code; nobody receives it, the metrics count it


class Api:
    """The handlers of one server; `draining` tells whether it is on its way out."""

    def __init__(self, engine: Engine, metrics: Metrics, draining: Callable[[], bool]) -> None:
        self._engine = engine
        self._served = Served(engine)
        self._metrics = metrics
        self._draining = draining

    def app(self) -> Starlette:
        routes = [
            *OpenAi(self._served).routes(),
            *Inference(self._served).routes(),
            Route("/", self.only_model),
            Route("/v1/models", self.models),
            Route("/v1/models/{id:path}", self.model),
            Route(pod.LIVENESS_PATH, self.live),
            Route(pod.READINESS_PATH, self.ready),
            Route(pod.METRICS_PATH, self.metrics),
        ]
        handlers = {
            ApiError: _told,
            HTTPException: _http_error,
            ClientDisconnect: lambda _, error: Response(status_code=CLIENT_WENT_AWAY),
            Exception: lambda request, _: _told(request, ApiError(500, "the server failed; its log says why")),
        }
        return Starlette(routes=routes, exception_handlers=handlers)

    async def only_model(self, request: Request) -> Response:
        task = self._served.any()
        return JSONResponse(model_card(task.loaded) | {"route": task.route})

    async def models(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [model_card(self._served.any().loaded)]})

    async def model(self, request: Request) -> Response:
        return JSONResponse(model_card(self._served.named(request.path_params["id"])))

    async def live(self, request: Request) -> Response:
        return _health(None if self._engine.alive else "the engine has stopped")

    async def ready(self, request: Request) -> Response:
        if self._draining():
            return _health("shutting down")
        return _health(None if self._engine.alive and self._engine.loaded else "the model is being loaded")

    async def metrics(self, request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(self._metrics.registry), headers={"content-type": content_type})


def _health(problem: str | None) -> Response:
    return PlainTextResponse(problem or "ok", 503 if problem else 200)


def _told(request: Request, error: Exception) -> Response:
    """An error in the shape that the client of this route reads."""
    assert isinstance(error, ApiError)
    return error.response(flat=request.url.path == PATH)


async def _http_error(request: Request, error: Exception) -> Response:
    """Routing errors (404, 405)."""
    assert isinstance(error, HTTPException)
    response = _told(request, ApiError(error.status_code, f"{request.method} {request.url.path}: {error.detail}"))
    response.headers.update(error.headers or {})
    return response
