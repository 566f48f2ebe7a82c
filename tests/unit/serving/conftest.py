"""A tiny model with a real tokenizer, as an artifact with a manifest; and servers of it as processes."""

import contextlib
import multiprocessing
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import torch
from huggingface_hub import InferenceClient
from openai import OpenAI
from row_artifacts import ROW_TASKS, make_row_model
from server_process import run_server
from tokenizers import ByteLevelBPETokenizer
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from perennial_contract import manifest

torch.set_num_threads(1)
NAME, VERSION = "docs-writer", "2"
CONTEXT = 4096
TEXT = [
    "The quick brown fox jumps over the lazy dog.",
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.",
    "Un éléphant ça trompe énormément, et 3 × 3 = 9.",
]


@dataclass
class Artifact:
    folder: Path
    digest: str


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    folder = tmp_path_factory.mktemp("artifact")
    make_model(folder)
    digest = manifest.write(folder, {"name": NAME, "task": "text-generation", "createdAt": "2026-01-01T00:00:00Z"})
    return Artifact(folder, digest)


@pytest.fixture(scope="session")
def row_artifacts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders with an artifact of each task and family whose inputs are rows."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ROW_TASKS}
    for name, folder in folders.items():
        make_row_model(name, folder)
    return folders


def make_model(folder: Path, **shape: int) -> None:
    """Writes a model with random weights; they are large, so that no two tokens are nearly as good."""
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(TEXT, vocab_size=320, special_tokens=["<|end|>"])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer, eos_token="<|end|>")
    tokenizer.save_pretrained(folder)
    torch.manual_seed(1)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2} | shape
    config = LlamaConfig(
        vocab_size=320,
        max_position_embeddings=CONTEXT,
        initializer_range=0.4,
        eos_token_id=0,
        bos_token_id=None,
        **sizes,
    )
    model = LlamaForCausalLM(config)
    model.lm_head.weight.data[0] = 0  # the end token is never the best one, so that long answers are long
    model.save_pretrained(folder)


@dataclass
class RunningServer:
    process: multiprocessing.process.BaseProcess
    url: str
    log: Path

    @property
    def client(self) -> OpenAI:
        return OpenAI(base_url=f"{self.url}/v1", api_key="none", max_retries=0, timeout=60)

    @property
    def inference(self) -> InferenceClient:
        return InferenceClient(model=self.url, timeout=60)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path)

    def wait_ready(self) -> "RunningServer":
        wait_until(lambda: self.status("/health/ready") == 200)
        return self

    def status(self, path: str) -> int | None:
        with contextlib.suppress(httpx.TransportError):
            return self.get(path).status_code
        return None

    def metric(self, name: str, **labels: str) -> float:
        """The value of one sample; 0 where it doesn't exist yet."""
        for line in self.get("/metrics").text.splitlines():
            if line.startswith((name + " ", name + "{")) and all(
                f'{key}="{value}"' in line for key, value in labels.items()
            ):
                return float(line.rsplit(" ", 1)[1])
        return 0.0

    def terminate(self) -> None:
        self.process.terminate()

    def wait(self, seconds: float) -> int | None:
        """The exit code; None where the process still runs."""
        self.process.join(seconds)
        return self.process.exitcode


Start = Callable[..., RunningServer]


@pytest.fixture(scope="session")
def start(artifact: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts a server with more options; the caller waits for it, so several can start at the same time."""
    # The servers are forked from one process that has imported torch, which saves each of them seconds.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["perennial_serving.server"])
    started: list[RunningServer] = []

    def run(*options: str, folder: Path = artifact.folder) -> RunningServer:
        port = free_port()
        log = tmp_path_factory.mktemp("server") / "log"
        command = serve_command(folder, "--host", "127.0.0.1", "--port", str(port), *options)
        process = context.Process(target=run_server, args=(command[3:], log))
        process.start()
        started.append(RunningServer(process, f"http://127.0.0.1:{port}", log))
        return started[-1]

    yield run
    for server in started:
        server.process.kill()
        server.process.join()


@pytest.fixture(scope="session")
def servers(start: Start) -> dict[str, RunningServer]:
    """All servers of the suite, started side by side, because each needs seconds for its imports."""
    running = {
        "roomy": start("--max-batch", "8"),
        "narrow": start("--max-batch", "1", "--max-waiting", "1"),
        "draining": start("--linger", "1.5", "--grace-period", "60"),
        "impatient": start("--linger", "0.2", "--grace-period", "4"),
    }
    return {name: server.wait_ready() for name, server in running.items()}


@pytest.fixture(scope="session")
def row_servers(start: Start, row_artifacts: dict[str, Path]) -> dict[str, RunningServer]:
    """A server of each, and some that translate for long."""
    slow = row_artifacts["slow translation"]
    running = {name: start("--max-batch", "4", folder=folder) for name, folder in row_artifacts.items()}
    running |= {
        "narrow": start("--max-batch", "1", "--max-waiting", "1", folder=slow),
        "draining": start("--linger", "1", "--grace-period", "60", folder=slow),
        "impatient": start("--linger", "0", "--grace-period", "4", folder=slow),
    }
    return {name: server.wait_ready() for name, server in running.items()}


@pytest.fixture
def server(servers: dict[str, RunningServer]) -> RunningServer:
    return servers["roomy"]


def serve_command(folder: Path, *options: str) -> list[str]:
    return [
        *(sys.executable, "-m", "perennial_serving", "serve", "--model", str(folder), "--name", NAME),
        *("--version", VERSION, "--termination-log", os.devnull, *options),
    ]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
