"""The server in one process, in states that are hard to reach from outside: while it loads, when the model fails."""

import threading
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from perennial_serving.artifact.loading import load
from perennial_serving.engine.engine import Engine
from perennial_serving.engine.metrics import Metrics
from perennial_serving.engine.task import LoadedModel, Task
from perennial_serving.http.app import application
from perennial_serving.tasks import TASKS
from perennial_testing.serving.artifacts import NAME, Artifact
from perennial_testing.serving.process import wait_until

BODY = {"model": NAME, "prompt": "x", "max_tokens": 3, "temperature": 0}


class SlowStart:
    """A server whose model loads when `may_load` is set."""

    def __init__(self, artifact: Artifact) -> None:
        self.may_load = threading.Event()
        self.metrics = Metrics()
        self.artifact = artifact
        self.engine = Engine(self._load, max_batch_size=2, max_queued_requests=4, metrics=self.metrics)
        self.engine.start()
        apis = [task.api for task in TASKS.values()]
        self.client = TestClient(application(self.engine, self.metrics, apis, "2", draining=lambda: False))

    def _load(self) -> Task:
        assert self.may_load.wait(30)
        return load(self.artifact.folder, NAME, "2")

    def loaded(self) -> LoadedModel:
        self.may_load.set()
        wait_until(lambda: self.engine.loaded is not None)
        assert self.engine.loaded is not None
        return self.engine.loaded


@pytest.fixture
def slow(artifact: Artifact) -> Iterator[SlowStart]:
    server = SlowStart(artifact)
    yield server
    server.may_load.set()
    server.engine.stop()
    server.engine.join(10)
    assert not server.engine.alive


def test_it_is_alive_but_not_ready_before_the_model_is_loaded(slow: SlowStart) -> None:
    assert slow.client.get("/health/live").status_code == 200
    assert slow.client.get("/health/ready").status_code == 503
    refused = slow.client.post("/v1/completions", json=BODY)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert refused.json()["error"]["code"] == "model_not_ready"
    slow.loaded()
    assert slow.client.get("/health/ready").status_code == 200
    assert slow.client.post("/v1/completions", json=BODY).status_code == 200


def test_a_batch_that_fails_is_answered_and_the_next_one_works(
    slow: SlowStart, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = slow.loaded().model

    def out_of_memory(**_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as failing:
        failing.setattr(model, "forward", out_of_memory)
        failed = slow.client.post("/v1/completions", json=BODY)
        streamed = slow.client.post("/v1/completions", json=BODY | {"stream": True})
    assert (failed.status_code, failed.json()["error"]["code"]) == (500, "generation_failed")
    assert "generation_failed" in streamed.text
    assert "[DONE]" not in streamed.text
    assert "perennial_requests_running 0.0" in slow.client.get("/metrics").text
    assert slow.client.post("/v1/completions", json=BODY).status_code == 200


def test_an_engine_that_has_stopped_is_not_alive(slow: SlowStart) -> None:
    slow.loaded()
    slow.engine.stop()
    slow.engine.join(10)
    assert slow.client.get("/health/live").status_code == 503
    assert slow.client.post("/v1/completions", json=BODY).json()["error"]["code"] == "shutting_down"


def test_a_chat_template_of_the_model_is_used_and_may_refuse(slow: SlowStart) -> None:
    tokenizer = slow.loaded().tokenizer
    chat = {"model": NAME, "max_tokens": 1, "messages": [{"role": "developer", "content": "dog"}]}
    plain = slow.client.post("/v1/chat/completions", json=chat).json()["usage"]["prompt_tokens"]
    assert plain == len(tokenizer("system: dog\nassistant:")["input_ids"])
    tokenizer.chat_template = "{{ messages[0]['content'] }}"
    short = slow.client.post("/v1/chat/completions", json=chat).json()["usage"]["prompt_tokens"]
    assert short == len(tokenizer("dog")["input_ids"])
    tokenizer.chat_template = "{{ raise_exception('roles must alternate') }}"
    refused = slow.client.post("/v1/chat/completions", json=chat)
    assert refused.status_code == 400
    assert "roles must alternate" in refused.json()["error"]["message"]
