"""Start and shutdown of a server: ready only with a model, and no request cut off by a drain."""

import json
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import torch
from safetensors.torch import load_file, save_file

from perennial_contract import exits, manifest
from perennial_contract.exits import Failure
from perennial_serving.artifact import preflight
from perennial_serving.artifact.loading import load
from perennial_testing.serving.artifacts import NAME, Artifact, SharedArtifacts
from perennial_testing.serving.process import RunningServer, Servers, free_port, serve_command, wait_until

LONG = {"model": NAME, "prompt": "x", "max_tokens": 2000, "temperature": 0, "stream": True}
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


def test_a_drain_finishes_streams_and_refuses_nobody(servers: Servers) -> None:
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
    servers: Servers,
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
    wait_until(lambda: handles_sigterm(process.pid))
    process.terminate()
    assert process.wait(20) in (0, exits.TERMINATED)


def handles_sigterm(pid: int) -> bool:
    """Whether the process has a handler, which it needs as the first process of a container."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def without_manifest(folder: Path) -> None:
    (folder / manifest.NAME).unlink()


def without_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def with_another_shape(folder: Path) -> None:
    _change_config(folder, {"num_hidden_layers": 3})


def with_code(folder: Path) -> None:
    _change_config(folder, {"model_type": "own", "auto_map": {"AutoConfig": "own.Own"}})
    (folder / "own.py").write_text("raise SystemExit('code of the artifact ran')")


def without_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def diverged(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["classifier.bias"][0] = float("nan")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def unchanged(folder: Path) -> None:
    """The fault is elsewhere."""


def _change_config(folder: Path, changes: dict[str, object]) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


@dataclass(frozen=True)
class Broken:
    """A copy of an artifact, `damage` to it, the task in its manifest, and how it is refused."""

    artifact: str
    damage: Callable[[Path], None]
    task: str
    reason: str
    code: int
    message: str


BROKEN = {
    "without weights": Broken(
        artifact="text generation",
        damage=without_weights,
        task="text-generation",
        reason="ModelUnreadable",
        code=exits.BAD_DATA,
        message="model.safetensors",
    ),
    "pickled": Broken(
        artifact="text generation",
        damage=pickled,
        task="text-generation",
        reason="ModelUnreadable",
        code=exits.BAD_DATA,
        message="model.safetensors",
    ),
    "another shape": Broken(
        artifact="text generation",
        damage=with_another_shape,
        task="text-generation",
        reason="ModelUnreadable",
        code=exits.BAD_DATA,
        message="layers.2",
    ),
    "code of its own": Broken(
        artifact="text generation",
        damage=with_code,
        task="text-generation",
        reason="ModelUnreadable",
        code=exits.BAD_DATA,
        message="never run",
    ),
    "unsupported task": Broken(
        artifact="text generation",
        damage=unchanged,
        task="summarization",
        reason="UnsupportedTask",
        code=exits.BAD_CONFIGURATION,
        message="serves text-generation, translation",
    ),
    "model of another task": Broken(
        artifact="text generation",
        damage=unchanged,
        task="translation",
        reason="ModelUnreadable",
        code=exits.BAD_DATA,
        message="AutoModelForSeq2SeqLM",
    ),
    "without a head": Broken(
        artifact="transformer classifier",
        damage=unchanged,
        task="question-answering",
        reason="ModelUnreadable",
        code=exits.BAD_DATA,
        message="qa_outputs",
    ),
    "without tokenizer": Broken(
        artifact="rnn classifier",
        damage=without_tokenizer,
        task="sentiment-analysis",
        reason="ModelUnreadable",
        code=exits.BAD_DATA,
        message="tokenizer",
    ),
    "diverged": Broken(
        artifact="cnn classifier",
        damage=diverged,
        task="sentiment-analysis",
        reason="ModelUnreadable",
        code=exits.BAD_DATA,
        message="not finite",
    ),
}


@pytest.mark.parametrize("case", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_model_is_refused_with_a_reason(artifacts: SharedArtifacts, tmp_path: Path, case: Broken) -> None:
    folder = shutil.copytree(artifacts[case.artifact], tmp_path / "model")
    case.damage(folder)
    manifest.write(folder, {"task": case.task})
    with pytest.raises(Failure, match=re.escape(case.message)) as failure:
        check_and_load(folder)
    assert (failure.value.reason, failure.value.code) == (case.reason, case.code)


@pytest.mark.parametrize("fetched", ["nothing", "an incomplete artifact"])
def test_an_artifact_without_manifest_is_refused(artifact: Artifact, tmp_path: Path, fetched: str) -> None:
    folder = tmp_path / "model"
    if fetched == "nothing":
        folder.mkdir()
    else:
        without_manifest(shutil.copytree(artifact.folder, folder))
    with pytest.raises(Failure, match="fetch") as failure:
        check_and_load(folder)
    assert (failure.value.reason, failure.value.code) == ("ModelMissing", exits.MISSING_INPUT)


def test_a_loaded_model_leaves_cudnn_no_attention_to_plan(artifact: Artifact) -> None:
    """It would do so at each token: on Hopper, for 16-bit numbers."""
    torch.backends.cuda.enable_cudnn_sdp(True)
    check_and_load(artifact.folder)
    assert not torch.backends.cuda.cudnn_sdp_enabled()


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
