"""The application: the routes of the tasks' APIs, and those that every model has."""

from collections.abc import Callable, Iterable
from pathlib import Path

from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from perennial_contract import pod
from perennial_serving.engine.engine import Engine
from perennial_serving.engine.metrics import Metrics
from perennial_serving.engine.task import TaskApi
from perennial_serving.http.authentication import Authentication
from perennial_serving.http.error_responses import ErrorResponses
from perennial_serving.http.middleware import ServingMiddleware
from perennial_serving.http.served_model import ServedModel, model_card


class CommonRoutes:
    """What every model has beside its task's API: its card, health and metrics."""

    def __init__(self, engine: Engine, metrics: Metrics, draining: Callable[[], bool]) -> None:
        self._engine = engine
        self._served = ServedModel(engine)
        self._metrics = metrics
        self._draining = draining

    def counted(self) -> list[Route]:
        return [
            Route("/", self.only_model),
            Route("/v1/models", self.models),
            Route("/v1/models/{id:path}", self.model),
        ]

    def uncounted(self) -> list[Route]:
        """Probes and scrapes: in logs and metrics they would drown the requests of people."""
        return [
            Route(pod.LIVENESS_PATH, self.live),
            Route(pod.READINESS_PATH, self.ready),
            Route(pod.METRICS_PATH, self.metrics),
        ]

    async def only_model(self, request: Request) -> Response:
        task = self._served.task()
        return JSONResponse(model_card(task.loaded) | {"route": task.api.usage})

    async def models(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [model_card(self._served.task().loaded)]})

    async def model(self, request: Request) -> Response:
        return JSONResponse(model_card(self._served.named(request.path_params["id"])))

    async def live(self, request: Request) -> Response:
        return _health(None if self._engine.alive else "the engine has stopped")

    async def ready(self, request: Request) -> Response:
        if self._draining():
            return _health("shutting down")
        return _health(None if self._engine.alive and self._engine.loaded else "the model is loading")

    async def metrics(self, request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(self._metrics.registry), headers={"content-type": content_type})


def application(
    engine: Engine,
    metrics: Metrics,
    apis: Iterable[TaskApi],
    version: str,
    draining: Callable[[], bool],
    api_keys: Path | None = None,
) -> ServingMiddleware:
    """The whole application. `draining` tells whether the server is shutting down; without `api_keys` all may ask."""
    common = CommonRoutes(engine, metrics, draining)
    of_tasks = [(route, api.error_body) for api in dict.fromkeys(apis) for route in api.routes(engine)]
    counted, uncounted = [*(route for route, _ in of_tasks), *common.counted()], common.uncounted()
    errors = ErrorResponses(counted, {route.path: error_body for route, error_body in of_tasks})
    app: ASGIApp = Starlette(routes=[*counted, *uncounted], exception_handlers=errors.handlers())
    if api_keys:
        app = Authentication(app, api_keys, uncounted, errors)
    return ServingMiddleware(app, counted, uncounted, metrics, version, draining)


def _health(problem: str | None) -> Response:
    return PlainTextResponse(problem or "ok", 503 if problem else 200)
