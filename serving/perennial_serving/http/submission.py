"""Between the event loop and the engine's thread: what is read, queued and waited for, unless the client goes away."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request

from perennial_serving.engine.engine import ComputationFailed, Engine, EngineStopped, QueueFull
from perennial_serving.engine.task import Asked
from perennial_serving.http.errors import ApiError

MAX_BODY_BYTES = 8 * 1024 * 1024
RETRY_AFTER_SECONDS = 1
T = TypeVar("T")


async def read_body(request: Request) -> bytes:
    """Raises ApiError 413 where it is too large."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise ApiError(413, f"the body is larger than {MAX_BODY_BYTES} bytes")
    return bytes(body)


def submit(engine: Engine, asked: Asked) -> None:
    """Queues a request. Raises ApiError 429 or 503."""
    try:
        engine.submit(asked)
    except (QueueFull, EngineStopped) as error:
        raise refused(error) from None


async def unless_gone(request: Request, answer: Awaitable[T]) -> T:
    """The answer. Raises ClientDisconnect once nobody waits for it any more."""
    whole = asyncio.ensure_future(answer)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({whole, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not whole.done():
            raise ClientDisconnect
        return whole.result()
    finally:
        whole.cancel()
        gone.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def refused(error: Exception) -> ApiError:
    """What the client is told of an exception of the engine."""
    match error:
        case QueueFull():
            message = "too many requests are waiting; try again in a moment"
            return ApiError(429, message, code="queue_full", retry_after_seconds=RETRY_AFTER_SECONDS)
        case EngineStopped():
            message = "this server is shutting down; send the request again"
            return ApiError(503, message, code="shutting_down", retry_after_seconds=RETRY_AFTER_SECONDS)
        case ComputationFailed():
            return ApiError(500, f"the model failed ({error}); the server's log says why", code="generation_failed")
    raise error
