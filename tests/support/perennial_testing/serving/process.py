"""Serving processes for tests: forked from one process that has imported torch, which saves seconds for each."""

import contextlib
import os
import random
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import httpx
from huggingface_hub import InferenceClient
from openai import OpenAI

from perennial_testing.forking import TORCH, forking
from perennial_testing.serving.artifacts import NAME, VERSION
from perennial_testing.serving.server_entry import run_server

# Below the ephemeral ports, which clients of other tests take at any moment; each worker of pytest-xdist has its own,
# since between the choice of a port and its use another worker would find it free as well.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
PORTS = range(20_000 + 1_000 * (_WORKER % 10), 21_000 + 1_000 * (_WORKER % 10))


@dataclass
class RunningServer:
    process: BaseProcess
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
        wait_until(self._is_ready, seconds=300)  # a busy machine imports torch for long
        return self

    def _is_ready(self) -> bool:
        assert self.process.exitcode is None, f"the server exited with {self.process.exitcode}: {self.log.read_text()}"
        return self.status("/health/ready") == 200

    def status(self, path: str) -> int | None:
        with contextlib.suppress(httpx.TransportError):
            return self.get(path).status_code
        return None

    def metric(self, name: str, **labels: str) -> float:
        """The value of one sample; 0 where it does not exist yet."""
        for line in self.get("/metrics").text.splitlines():
            if line.startswith((name + " ", name + "{")) and all(
                f'{key}="{value}"' in line for key, value in labels.items()
            ):
                return float(line.rsplit(" ", 1)[1])
        return 0.0

    def terminate(self) -> None:
        self.process.terminate()

    def wait(self, seconds: float) -> int | None:
        """The exit code; None while the process runs."""
        self.process.join(seconds)
        return self.process.exitcode


@dataclass(frozen=True)
class ServerSpec:
    """Which artifact a server serves, and its command-line options."""

    artifact: str
    options: tuple[str, ...] = ()


class Servers:
    """Servers by name, each started and ready on first use, and shared by the tests after that."""

    def __init__(self, specs: dict[str, ServerSpec], artifact: Callable[[str], Path], folder: Path) -> None:
        self._specs = specs
        self._artifact = artifact
        self._folder = folder
        self._running: dict[str, RunningServer] = {}
        self._context = forking(*TORCH)

    def __getitem__(self, name: str) -> RunningServer:
        if name not in self._running:
            self._running[name] = self._start(name).wait_ready()
        return self._running[name]

    def _start(self, name: str) -> RunningServer:
        spec, port, log = self._specs[name], free_port(), self._folder / f"{name}.log".replace(" ", "-")
        options = ("--port", str(port), *spec.options)
        arguments = serve_command(self._artifact(spec.artifact), *options)[3:]
        process = self._context.Process(target=run_server, args=(arguments, log))
        process.start()
        return RunningServer(process, f"http://127.0.0.1:{port}", log)

    def kill(self) -> None:
        for server in self._running.values():
            server.process.kill()
            server.process.join()


@contextlib.contextmanager
def running(specs: dict[str, ServerSpec], artifact: Callable[[str], Path], folder: Path) -> Iterator[Servers]:
    servers = Servers(specs, artifact, folder)
    try:
        yield servers
    finally:
        servers.kill()


def serve_command(folder: Path, *options: str) -> list[str]:
    return [
        *(sys.executable, "-m", "perennial_serving", "serve", "--model", str(folder), "--name", NAME),
        *("--version", VERSION, "--termination-log", os.devnull, *options),
    ]


def free_port() -> int:
    while True:
        port = random.SystemRandom().choice(PORTS)  # hypothesis seeds the module's own generator
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not become true in time"
        time.sleep(0.02)
