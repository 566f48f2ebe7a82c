"""What every response gets: the version header, a count, a log line, and a closed connection during shutdown."""

import logging
import time
from collections.abc import Callable, Sequence

from starlette.datastructures import MutableHeaders
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from perennial_contract.pod import VERSION_HEADER
from perennial_serving.engine.metrics import Metrics
from perennial_serving.errors import CLIENT_CLOSED_REQUEST
from perennial_serving.http.routing import matching

UNKNOWN_ROUTE = "other"
log = logging.getLogger(__name__)


class ServingMiddleware:
    """ASGI middleware around the application. Logs method, path, status and duration, never prompts or answers.

    Requests to `uncounted` routes are neither logged nor counted.
    """

    def __init__(
        self,
        app: ASGIApp,
        counted: Sequence[Route],
        uncounted: Sequence[Route],
        metrics: Metrics,
        version: str,
        draining: Callable[[], bool],
    ) -> None:
        self._app = app
        self._counted = counted
        self._uncounted = uncounted
        self._metrics = metrics
        self._version = version
        self._draining = draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = final_status = CLIENT_CLOSED_REQUEST

        async def send_response(message: Message) -> None:
            nonlocal status, final_status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._add_headers(message)
            elif not message.get("more_body"):
                final_status = status
            await send(message)

        try:
            await self._app(scope, receive, send_response)
        finally:
            self._count(scope, final_status, time.perf_counter() - started)

    def _add_headers(self, message: Message) -> None:
        headers = MutableHeaders(scope=message)
        headers[VERSION_HEADER] = self._version
        if self._draining():
            headers["connection"] = "close"  # the client's next connection goes to another pod

    def _count(self, scope: Scope, code: int, seconds: float) -> None:
        if matching(self._uncounted, scope):
            return
        route = matching(self._counted, scope)
        # The path of the route, not of the request: what a client makes up must not multiply the metrics.
        self._metrics.request_ended(route.path_format if route else UNKNOWN_ROUTE, code, seconds)
        log.info("%s %r %d %.3fs", scope["method"], scope["path"][:200], code, seconds)
