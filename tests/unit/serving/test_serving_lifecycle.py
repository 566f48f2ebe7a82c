"""A server's beginning and end: ready only with a model, and nobody cut off when it leaves."""

import json
import re
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from conftest import NAME, Artifact, RunningServer, free_port, make_model, serve_command, wait_until
from row_artifacts import make_row_model
from safetensors.torch import load_file, save_file

from perennial_contract import exits, manifest
from perennial_contract.exits import Failure
from perennial_serving.artifact import preflight
from perennial_serving.artifact.loading import load

LONG = {"model": NAME, "prompt": "x", "max_tokens": 3000, "temperature": 0, "stream": True}
SHORT = {"model": NAME, "prompt": "The", "max_tokens": 3}


class LoopingClient(threading.Thread):
    """Sends one request after the other on kept connections; notes when each began and how it went."""

    def __init__(self, server: RunningServer) -> None:
        super().__init__()
        self.url = f"{server.url}/v1/completions"
        self.answers: list[tuple[float, int | str]] = []
        self.closes = 0

    def run(self) -> None:
        with httpx.Client() as client:
            while not self.answers or isinstance(self.answers[-1][1], int):
                began = time.monotonic()
                try:
                    answer = client.post(self.url, json=SHORT)
                    self.closes += answer.headers.get("connection") == "close"
                    self.answers.append((began, answer.status_code))
                except httpx.TransportError as error:
                    self.answers.append((began, type(error).__name__))


def test_a_drain_finishes_streams_and_refuses_nobody(servers: dict[str, RunningServer]) -> None:
    server = servers["draining"]
    looping = LoopingClient(server)
    with server.client.completions.create(**LONG) as stream:
        chunks = [next(stream)]
        looping.start()
        wait_until(lambda: len(looping.answers) > 3)
        server.terminate()
        began = time.monotonic()
        wait_until(lambda: server.status("/health/ready") == 503)
        assert server.get("/health/live").status_code == 200
        chunks += stream
    assert chunks[-1].choices[0].finish_reason == "length"
    assert server.wait(30) == 0
    looping.join()
    in_time = [code for start, code in looping.answers if start < began + 1.4]
    assert set(in_time) == {200}
    assert looping.closes > 3
    assert [code for _, code in looping.answers if isinstance(code, str)] == [looping.answers[-1][1]]


def test_an_answer_without_end_is_cut_with_an_error_before_the_pod_is_killed(
    servers: dict[str, RunningServer],
) -> None:
    server = servers["impatient"]
    body = LONG | {"max_tokens": 4000}
    parallel = [threading.Thread(target=httpx.post, args=(f"{server.url}/v1/completions",), kwargs={"json": body})]
    for thread in parallel:
        thread.start()
    with httpx.stream("POST", f"{server.url}/v1/completions", json=body, timeout=30) as answer:
        lines = answer.iter_lines()
        next(lines)
        server.terminate()
        rest = [line for line in lines if line]
    assert server.wait(10) == 0
    assert json.loads(rest[-1].removeprefix("data: "))["error"]["code"] == "shutting_down"


def test_a_term_while_the_imports_run_ends_it(artifact: Artifact) -> None:
    process = subprocess.Popen(serve_command(artifact.folder, "--port", str(free_port())), stdout=subprocess.DEVNULL)
    time.sleep(1)
    process.terminate()
    assert process.wait(20) in (0, exits.TERMINATED)


def empty(folder: Path) -> None:
    """Nothing was fetched."""


def half(folder: Path) -> None:
    make_model(folder)


def without_weights(folder: Path) -> None:
    make_model(folder)
    (folder / "model.safetensors").unlink()
    manifest.write(folder, {"task": "text-generation"})


def pickled(folder: Path) -> None:
    make_model(folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    manifest.write(folder, {"task": "text-generation"})


def of_another_size(folder: Path) -> None:
    make_model(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    manifest.write(folder, {"task": "text-generation"})


def with_code(folder: Path) -> None:
    make_model(folder)
    config = json.loads((folder / "config.json").read_text()) | {"model_type": "own"}
    (folder / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoConfig": "own.Own"}}))
    (folder / "own.py").write_text("raise SystemExit('code of the artifact ran')")
    manifest.write(folder, {"task": "text-generation"})


def summing_up(folder: Path) -> None:
    make_model(folder)
    manifest.write(folder, {"task": "summarization"})


def of_another_task(folder: Path) -> None:
    make_model(folder)
    manifest.write(folder, {"task": "translation"})


def without_a_head(folder: Path) -> None:
    make_row_model("transformer classifier", folder)
    manifest.write(folder, {"task": "question-answering"})


def without_a_tokenizer(folder: Path) -> None:
    make_row_model("rnn classifier", folder)
    (folder / "tokenizer.json").unlink()
    manifest.write(folder, {"task": "sentiment-analysis"})


def diverged(folder: Path) -> None:
    make_row_model("cnn classifier", folder)
    weights = load_file(folder / "model.safetensors")
    weights["classifier.bias"][0] = float("nan")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    manifest.write(folder, {"task": "sentiment-analysis"})


BROKEN = {
    empty: ("ModelMissing", exits.MISSING_INPUT, "fetch"),
    half: ("ModelMissing", exits.MISSING_INPUT, "fetch"),
    without_weights: ("ModelUnreadable", exits.BAD_DATA, "model.safetensors"),
    pickled: ("ModelUnreadable", exits.BAD_DATA, "model.safetensors"),
    of_another_size: ("ModelUnreadable", exits.BAD_DATA, "layers.2"),
    with_code: ("ModelUnreadable", exits.BAD_DATA, "never run"),
    summing_up: ("UnsupportedTask", exits.BAD_CONFIGURATION, "serves text-generation, translation"),
    of_another_task: ("ModelUnreadable", exits.BAD_DATA, "AutoModelForSeq2SeqLM"),
    without_a_head: ("ModelUnreadable", exits.BAD_DATA, "qa_outputs"),
    without_a_tokenizer: ("ModelUnreadable", exits.BAD_DATA, "tokenizer"),
    diverged: ("ModelUnreadable", exits.BAD_DATA, "not finite"),
}


@pytest.mark.parametrize("make", BROKEN, ids=lambda make: make.__name__)
def test_a_broken_model_is_refused_with_a_reason(tmp_path: Path, make: Callable[[Path], None]) -> None:
    reason, code, says = BROKEN[make]
    make(tmp_path)
    with pytest.raises(Failure, match=re.escape(says)) as failure:
        check_and_load(tmp_path)
    assert (failure.value.reason, failure.value.code) == (reason, code)


def check_and_load(folder: Path) -> None:
    preflight.check(folder)
    load(folder, NAME, "2")


def test_a_model_that_was_not_fetched_ends_the_process_with_what_to_do(tmp_path: Path) -> None:
    log = tmp_path / "termination-log"
    command = serve_command(tmp_path, "--port", str(free_port()), "--termination-log", str(log))
    assert subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode == exits.MISSING_INPUT
    assert "python -m perennial_serving fetch" in json.loads(log.read_text())["message"]


def test_help_explains_each_option(artifact: Artifact) -> None:
    for command in ("fetch", "serve"):
        help_text = subprocess.run(
            [*serve_command(artifact.folder)[:3], command, "--help"], capture_output=True, text=True, check=True
        ).stdout
        assert "--termination-log" in help_text
