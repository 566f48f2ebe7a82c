"""The route of the tasks with rows: what Hugging Face's inference client calls when its model is a URL."""

import asyncio
from collections.abc import Sequence
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from perennial_serving.engine.served_model import Served
from perennial_serving.http.submission import read_body, refused, submit, unless_gone
from perennial_serving.inference.computation import Job
from perennial_serving.inference.requests import parse
from perennial_serving.inference.row import Row
from perennial_serving.inference.task import RowTask

PATH = "/"


class Inference:
    """One route for all of them: the model's task decides what it understands."""

    def __init__(self, served: Served) -> None:
        self._served = served

    def routes(self) -> list[Route]:
        return [Route(PATH, self.infer, methods=["POST"])]

    async def infer(self, request: Request) -> Response:
        body = await read_body(request)
        task = self._served.task(RowTask)
        asked = await run_in_threadpool(parse, task.request, body)
        rows = await run_in_threadpool(task.encode, asked)
        results = await self._computed(request, rows)
        return JSONResponse(await run_in_threadpool(task.answer, asked, rows, results))

    async def _computed(self, request: Request, rows: Sequence[Row]) -> list[Any]:
        """The results, one for each row. Raises ApiError, and ClientDisconnect once nobody waits any more."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[list[Any] | Exception] = loop.create_future()
        job = Job(rows, deliver=lambda results: loop.call_soon_threadsafe(_settle, done, results))
        submit(self._served.engine, job)
        try:
            results = await unless_gone(request, done)
        finally:
            self._served.engine.cancel(job)
        if isinstance(results, Exception):
            raise refused(results)
        return results


def _settle(done: asyncio.Future[Any], results: Any) -> None:
    if not done.done():
        done.set_result(results)
