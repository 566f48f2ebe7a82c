"""A new task touches its own module, the registry and the contract: shown by one that does nothing."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient
from torch import Tensor
from transformers import AutoModelForCausalLM

from perennial_contract import manifest
from perennial_contract import tasks as contract
from perennial_serving import tasks
from perennial_serving.artifact import preflight
from perennial_serving.artifact.loading import load
from perennial_serving.engine.engine import Engine
from perennial_serving.engine.metrics import Metrics
from perennial_serving.engine.task import Computation, EngineRequest, RequestQueue, Task, TaskApi
from perennial_serving.errors import ApiError, Json
from perennial_serving.http.app import application
from perennial_serving.http.served_model import ServedModel
from perennial_testing.serving.artifacts import Artifact
from perennial_testing.serving.process import wait_until


class Idle:
    """A request that asks for nothing."""

    cancelled = False

    def __init__(self) -> None:
        self.answered = False

    def deliver(self, answer: object) -> None:
        self.answered = True


class Idling:
    def step(self, running: Sequence[EngineRequest]) -> list[EngineRequest]:
        for request in running:
            request.deliver(None)
        return list(running)


def routes(queue: RequestQueue) -> list[Route]:
    served = ServedModel(queue)

    async def idle(request: Request) -> Response:
        served.task_of(API)
        if await request.body():
            raise ApiError(400, "nothing may be asked for")
        queue.submit(idling := Idle())
        wait_until(lambda: idling.answered)
        return JSONResponse({"idle": True})

    return [Route("/idle/{for:path}", idle, methods=["POST"])]


def idle_error_body(error: ApiError) -> Json:
    return {"idleError": error.message}


API = TaskApi(usage="call POST /idle/FOR", routes=routes, error_body=idle_error_body)


class DoNothing(Task):
    api = API
    auto: ClassVar[Any] = AutoModelForCausalLM

    def computation(self, places: int, metrics: Metrics) -> Computation[Any]:
        return Idling()

    def warm_up(self) -> Tensor:
        return torch.zeros(2, 1)


@pytest.fixture
def client(artifact: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A server of a do-nothing task, which is in the registry and in the contract."""
    known = contract.TASKS["text-generation"]
    monkeypatch.setitem(contract.TASKS, "do-nothing", known)
    monkeypatch.setitem(tasks.TASKS, "do-nothing", DoNothing)
    folder = shutil.copytree(artifact.folder, tmp_path / "artifact")
    manifest.write(folder, {"task": "do-nothing"})
    preflight.check(folder)
    metrics = Metrics()
    engine = Engine(lambda: load(folder, "idler", "1"), max_batch_size=1, max_queued_requests=1, metrics=metrics)
    engine.start()
    wait_until(lambda: engine.loaded is not None or not engine.alive)
    apis = [task.api for task in tasks.TASKS.values()]
    yield TestClient(application(engine, metrics, apis, "1", draining=lambda: False))
    engine.stop()
    engine.join(10)


def test_a_do_nothing_task_is_served_by_its_routes_in_its_error_shape(client: TestClient) -> None:
    assert client.post("/idle/a/while").json() == {"idle": True}
    refused = client.post("/idle/a/while", content=b"work")
    assert (refused.status_code, refused.json()) == (400, {"idleError": "nothing may be asked for"})
    assert client.get("/idle/now").json() == {"idleError": "GET /idle/now: Method Not Allowed"}
    assert client.get("/").json()["route"] == "call POST /idle/FOR"


def test_the_other_tasks_point_to_its_api_in_their_own_error_shapes(client: TestClient) -> None:
    message = "'idler' is a model for do-nothing; call POST /idle/FOR"
    assert client.post("/v1/completions", json={}).json()["error"]["message"] == message
    assert client.post("/", json={}).json()["error"] == message


def test_requests_are_counted_by_the_path_of_the_route(client: TestClient) -> None:
    for path in ("/idle/a", "/idle/b"):
        client.post(path)
    for path in ("/made/up", "/health/live", "/metrics"):
        client.get(path)
    client.get("/v1/models/idler")
    counted = {
        line.split('route="')[1].split('"')[0]: float(line.rsplit(" ", 1)[1])
        for line in client.get("/metrics").text.splitlines()
        if line.startswith("perennial_requests_total{")
    }
    assert counted == {"/idle/{for}": 2, "other": 1, "/v1/models/{id}": 1}
