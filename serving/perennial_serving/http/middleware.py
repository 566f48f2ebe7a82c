"""What every answer gets on its way out: the version, a count, a line in the log, and the end of its connection
while the server drains."""

import logging
import time
from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from perennial_contract.pod import LIVENESS_PATH, METRICS_PATH, READINESS_PATH, VERSION_HEADER
from perennial_serving.engine.metrics import Metrics
from perennial_serving.http.app import CLIENT_WENT_AWAY

ROUTES = ("/", "/v1/completions", "/v1/chat/completions", "/v1/models")
UNCOUNTED = (LIVENESS_PATH, READINESS_PATH, METRICS_PATH)  # probes and scrapes would drown the requests of people
log = logging.getLogger(__name__)


class Front:
    """ASGI middleware around the application; logs method, path, status and time, never what was said."""

    def __init__(self, app: ASGIApp, metrics: Metrics, version: str, draining: Callable[[], bool]) -> None:
        self._app = app
        self._metrics = metrics
        self._version = version
        self._draining = draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        sent = ended = CLIENT_WENT_AWAY

        async def answer(message: Message) -> None:
            nonlocal sent, ended
            if message["type"] == "http.response.start":
                sent = message["status"]
                self._add_headers(message)
            elif not message.get("more_body"):
                ended = sent
            await send(message)

        try:
            await self._app(scope, receive, answer)
        finally:
            self._count(scope, ended, time.perf_counter() - started)

    def _add_headers(self, message: Message) -> None:
        headers = MutableHeaders(scope=message)
        headers[VERSION_HEADER] = self._version
        if self._draining():
            headers["connection"] = "close"  # the client's next request opens a connection, to another pod

    def _count(self, scope: Scope, code: int, seconds: float) -> None:
        path = scope["path"]
        if path.startswith(UNCOUNTED):
            return
        self._metrics.request_ended(_route(path), code, seconds)
        log.info("%s %r %d %.3fs", scope["method"], path[:200], code, seconds)


def _route(path: str) -> str:
    """The path without what a client can make up, so that the number of metrics is bounded."""
    if path in ROUTES:
        return path
    return "/v1/models/{id}" if path.startswith("/v1/models/") else "other"
