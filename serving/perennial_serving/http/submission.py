"""Between the event loop and the engine's thread: read a body, queue a request, wait for it while the client does."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request

from perennial_serving.engine.engine import ComputationFailed, EngineStopped, QueueFull
from perennial_serving.engine.task import EngineRequest, RequestQueue
from perennial_serving.errors import ApiError

MAX_BODY_BYTES = 8 * 1024 * 1024
RETRY_AFTER_SECONDS = 1
T = TypeVar("T")


async def read_body(request: Request) -> bytes:
    """Raises ApiError 413 where it is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise ApiError(413, f"the body is larger than {MAX_BODY_BYTES} bytes")
    return bytes(body)


def submit(queue: RequestQueue, request: EngineRequest) -> None:
    """Queues a request. Raises ApiError 429 or 503."""
    try:
        queue.submit(request)
    except (QueueFull, EngineStopped) as error:
        raise api_error(error) from None


async def unless_disconnected(request: Request, answer: Awaitable[T]) -> T:
    """The answer. Raises ClientDisconnect when the client disconnects first."""
    answered = asyncio.ensure_future(answer)
    disconnected = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({answered, disconnected}, return_when=asyncio.FIRST_COMPLETED)
        if not answered.done():
            raise ClientDisconnect
        return answered.result()
    finally:
        answered.cancel()
        disconnected.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def api_error(error: Exception) -> ApiError:
    """The error response for an exception of the engine."""
    match error:
        case QueueFull():
            message = "too many requests are waiting; try again in a moment"
            return ApiError(429, message, code="queue_full", retry_after_seconds=RETRY_AFTER_SECONDS)
        case EngineStopped():
            message = "this server is shutting down; send the request again"
            return ApiError(503, message, code="shutting_down", retry_after_seconds=RETRY_AFTER_SECONDS)
        case ComputationFailed():
            return ApiError(500, f"the model failed ({error}); see the server's log", code="generation_failed")
    raise error
