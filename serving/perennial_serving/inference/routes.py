"""Hugging Face's inference API: the route that its client calls when its model is a URL."""

import asyncio
from collections.abc import Sequence
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from perennial_serving.engine.task import RequestQueue, TaskApi
from perennial_serving.errors import hugging_face_error_body
from perennial_serving.http.served_model import ServedModel
from perennial_serving.http.submission import api_error, read_body, submit, unless_disconnected
from perennial_serving.inference.batching import Inference
from perennial_serving.inference.encoded_input import EncodedInput
from perennial_serving.inference.requests import parse
from perennial_serving.inference.task import InferenceTask


class HuggingFaceRoutes:
    """One route for all tasks: the task of the loaded model defines the request."""

    def __init__(self, queue: RequestQueue) -> None:
        self._queue = queue
        self._served = ServedModel(queue)

    def routes(self) -> list[Route]:
        return [Route("/", self.infer, methods=["POST"])]

    async def infer(self, request: Request) -> Response:
        body = await read_body(request)
        task = self._served.task_of(API)
        assert isinstance(task, InferenceTask)
        typed_request = await run_in_threadpool(parse, task.request, body)
        inputs = await run_in_threadpool(task.encode, typed_request)
        results = await self._computed(request, inputs)
        return JSONResponse(await run_in_threadpool(task.answer, typed_request, inputs, results))

    async def _computed(self, request: Request, inputs: Sequence[EncodedInput]) -> list[Any]:
        """One result per input. Raises ApiError, and ClientDisconnect when the client disconnects first."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[list[Any] | Exception] = loop.create_future()
        inference: Inference[EncodedInput, Any] = Inference(
            inputs, deliver=lambda results: loop.call_soon_threadsafe(_settle, done, results)
        )
        submit(self._queue, inference)
        try:
            results = await unless_disconnected(request, done)
        finally:
            self._queue.cancel(inference)
        if isinstance(results, Exception):
            raise api_error(results)
        return results


def _settle(done: asyncio.Future[list[Any] | Exception], results: list[Any] | Exception) -> None:
    if not done.done():
        done.set_result(results)


API = TaskApi(
    usage='call POST / with {"inputs": …}, as huggingface_hub\'s InferenceClient does',
    routes=lambda queue: HuggingFaceRoutes(queue).routes(),
    error_body=hugging_face_error_body,
)
