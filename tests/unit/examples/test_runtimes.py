"""The examples of other frameworks, as processes, on the configuration that the operator writes for their manifests.

TensorFlow is in no environment of ours: name a Python that has it by $PERENNIAL_TENSORFLOW_PYTHON.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from perennial.api import TrainingJob
from perennial.decide.training_job.configuration import config_map
from perennial.loop.observe.sources.pod_log import last_progress
from perennial_contract import manifest
from perennial_contract.result import Comparison, Result

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples" / "runtimes"
TENSORFLOW = os.environ.get("PERENNIAL_TENSORFLOW_PYTHON")
FRAMEWORKS = [
    pytest.param("pytorch", sys.executable, id="pytorch"),
    pytest.param(
        "tensorflow", TENSORFLOW, id="tensorflow",
        marks=pytest.mark.skipif(not TENSORFLOW, reason="$PERENNIAL_TENSORFLOW_PYTHON names no Python with TensorFlow"),
    ),
]  # fmt: skip


class Example:
    """One example, its mounts and its termination log."""

    def __init__(self, framework: str, python: str, root: Path) -> None:
        self.python, self.root, self.folder = python, root, EXAMPLES / framework
        documents = yaml.safe_load_all((self.folder / "sentiment.yaml").read_text())
        (document,) = (found for found in documents if found["kind"] == "TrainingJob")
        at = {"namespace": "demo", "uid": "0f0e0d0c-1111-2222-3333-444444444444"}
        self.job = TrainingJob.model_validate(document | {"metadata": document["metadata"] | at})
        self.config: dict[str, Any] = json.loads(config_map(self.job)["data"]["job.json"])
        self.output = root / "claims" / self.job.spec.output.uri.removeprefix("pvc://")
        self.log = root / "termination-log"
        (root / "claims" / "models").mkdir(parents=True)
        (root / "configmaps" / "reviews").mkdir(parents=True)
        reviews = subprocess.run(
            [sys.executable, ROOT / "examples/data/reviews.py"], capture_output=True, check=True
        ).stdout
        self.reviews = root / "configmaps" / "reviews" / "reviews.jsonl"
        self.reviews.write_bytes(reviews)

    def start(self, script: str, *arguments: str) -> "subprocess.Popen[str]":
        paths = [EXAMPLES, ROOT / "contract"]  # what the Dockerfile copies, and nothing else of ours
        environment = {"PYTHONPATH": os.pathsep.join(map(str, paths)), "PATH": os.environ["PATH"], "HOME": "/tmp"}
        command = [self.python, str(self.folder / script), *arguments]
        return subprocess.Popen(
            command, env=environment | {"CUDA_VISIBLE_DEVICES": ""}, stdout=subprocess.PIPE, text=True
        )

    def train(self) -> "subprocess.Popen[str]":
        (self.root / "job.json").write_text(json.dumps(self.config))
        self.log.write_text("")
        given = {"--config": self.root / "job.json", "--mounts": self.root, "--termination-log": self.log}
        return self.start("train.py", *(str(word) for pair in given.items() for word in pair))

    def trained(self) -> tuple[int, dict[str, Any], str]:
        """Exit code, termination message, output."""
        process = self.train()
        output, _ = process.communicate(timeout=120)
        return process.returncode, json.loads(self.log.read_text()), output


@pytest.fixture
def example(framework: str, python: str, tmp_path: Path) -> Example:
    return Example(framework, python, tmp_path)


@pytest.mark.parametrize(("framework", "python"), FRAMEWORKS)
def test_it_trains_what_the_operator_understands(example: Example) -> None:
    code, message, output = example.trained()
    assert code == 0, output
    result = Result.model_validate(message)
    assert result.metrics["accuracy"] > 0.9
    assert result.artifact.uri == example.job.spec.output.uri
    assert manifest.verify(example.output, result.artifact.digest)["task"] == "sentiment-analysis"
    progress = last_progress(output)
    assert progress
    assert (progress.step, progress.max_steps) == (120, 120)
    assert not example.output.with_name(f"{example.output.name}.partial").exists()
    assert example.trained()[:2] == (0, message)  # started again, it says the same


@pytest.mark.parametrize(("framework", "python"), FRAMEWORKS[:1])
def test_it_judges_the_served_version_and_tells_of_it(example: Example) -> None:
    example.config["training"]["hyperparameters"]["maxSteps"] = 20
    first = Result.model_validate(example.trained()[1])
    assert first.comparison is None
    served = first.artifact.model_dump(include={"uri", "digest"}) | {"version": 1}
    example.config |= {"compareWith": served, "output": {"uri": f"{first.artifact.uri}-v2"}}
    example.config["training"]["hyperparameters"]["maxSteps"] = 40
    code, message, output = example.trained()
    assert code == 0, output
    assert Result.model_validate(message).comparison == Comparison(version=1, metrics=first.metrics)


@pytest.mark.parametrize(("framework", "python"), FRAMEWORKS[:1])
def test_a_served_version_that_was_changed_is_not_judged(example: Example) -> None:
    example.config["training"]["hyperparameters"]["maxSteps"] = 1
    served = {"version": 1, "uri": example.trained()[1]["artifact"]["uri"], "digest": f"sha256:{'0' * 64}"}
    example.config |= {"compareWith": served, "output": {"uri": "pvc://models/v2"}}
    code, message, output = example.trained()
    assert code == 0, output
    comparison = Result.model_validate(message).comparison
    assert comparison
    assert comparison.metrics == {}
    assert f"{served['uri']}: perennial.json" in (comparison.message or "")


@pytest.mark.parametrize(("framework", "python"), FRAMEWORKS)
def test_it_goes_on_after_sigterm(example: Example) -> None:
    example.config["training"]["hyperparameters"]["maxSteps"] = 4000
    process = example.train()
    assert process.stdout
    next(line for line in process.stdout if '"step": 40' in line)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143
    assert json.loads(example.log.read_text())["reason"] == "Terminated"
    again = example.train()
    assert again.stdout
    first = next(json.loads(line) for line in again.stdout if line.startswith("{"))
    again.kill()
    again.communicate()
    assert first["step"] > 40


@pytest.mark.parametrize(("framework", "python"), FRAMEWORKS)
def test_bad_input_ends_it_for_good(example: Example) -> None:
    example.reviews.write_text('{"text": "no label"}\n')
    code, message, _ = example.trained()
    assert (code, message["reason"]) == (65, "BadExample")
    assert message["message"].startswith("Line 1 of configmap://reviews/reviews.jsonl")


def ask(port: int, path: str, document: Any = None) -> tuple[int, Any]:
    data = None if document is None else json.dumps(document).encode()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", data, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def await_ready(port: int) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            ask(port, "/health/ready")
            return
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.2)


@pytest.mark.parametrize(("framework", "python"), FRAMEWORKS[1:])
def test_the_saved_model_answers_as_hugging_face_does(example: Example) -> None:
    assert example.trained()[0] == 0
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = example.start("serve.py", "--model", str(example.output), "--port", str(port))
    try:
        await_ready(port)
        status, answer = ask(port, "/", {"inputs": ["The kettle is a pleasure.", "It broke after a week."]})
        assert status == 200
        assert [texts[0]["label"] for texts in answer] == ["positive", "negative"]
        assert sum(one["score"] for one in answer[0]) == pytest.approx(1, abs=1e-4)
        assert len(ask(port, "/", {"inputs": "One text."})[1]) == 1
        assert [ask(port, "/", bad)[0] for bad in ({}, {"inputs": 1}, {"inputs": ["a"] * 257})] == [400, 422, 422]
        assert ask(port, "/elsewhere")[0] == 404
        server.terminate()
        assert server.wait(timeout=20) == 0
    finally:
        server.kill()
        server.communicate()
