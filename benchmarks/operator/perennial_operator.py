"""The operator itself, as a process with its defaults."""

import re
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import training_jobs
from api_client import Api, Manifest
from fresh_control_plane import ControlPlane
from measured_process import Process, running
from perennial_contract.version import of_perennial

_START_SECONDS = 60
_POLL_SECONDS = 0.1


class Perennial:
    """`python -m perennial`; a port of its own for the metrics is the only flag."""

    name = "perennial"
    owners = training_jobs.TRAINING_JOBS
    children = training_jobs.JOBS
    agents = ("perennial-operator", "kopf")
    gives_status = True

    def __init__(self) -> None:
        self.version = of_perennial()
        self._port = _free_port()
        self._pods: dict[str, str] = {}

    async def prepare(self, api: Api, control_plane: ControlPlane) -> None:
        await training_jobs.prepare(api, control_plane)

    @contextmanager
    def run(self, control_plane: ControlPlane) -> Iterator[Process]:
        command = [sys.executable, "-m", "perennial", "--metrics-port", str(self._port)]
        environment = {"KUBECONFIG": str(control_plane.kubeconfig)}
        with running(command, environment, control_plane.kubeconfig.parent / "logs" / "operator.log") as process:
            self._wait(process, "/readyz", lambda text: text == "ok")
            self._wait(process, "/metrics", lambda text: value(text, "perennial_leader") == 1)
            yield process

    def wait_until_settled(self, process: Process, objects: int) -> None:
        """Returns when there have been as many looks as objects and the queue, which has held them all, is empty."""

        def settled(text: str) -> bool:
            known = value(text, 'perennial_objects{kind="TrainingJob"')
            looks = value(text, 'perennial_reconciles_total{kind="TrainingJob"')
            return known == objects and looks >= objects and value(text, "perennial_queue_depth") == 0

        self._wait(process, "/metrics", settled, seconds=300)

    def _wait(self, process: Process, path: str, holds: Callable[..., bool], seconds: float = _START_SECONDS) -> None:
        end = time.monotonic() + seconds
        while not holds(self._answer(path)):
            process.check()
            if time.monotonic() > end:
                raise SystemExit(f"The operator is not as it should be after {seconds:.0f} s; see {process.log}.")
            time.sleep(_POLL_SECONDS)

    def _answer(self, path: str) -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=10) as response:
                return response.read().decode()
        except OSError:  # not yet
            return ""

    async def create(self, api: Api, name: str) -> None:
        await api.create(self.owners, training_jobs.training_job(name))

    def has_status(self, owner: Manifest) -> bool:
        return bool(owner.get("status", {}).get("conditions"))

    def shows_change(self, owner: Manifest) -> bool:
        return owner.get("status", {}).get("state") == "Running"

    async def changeable(self, api: Api) -> AsyncIterator[str]:
        """Those whose pod the Job controller has made by now."""
        for pod in (await api.get(training_jobs.PODS))["items"]:
            name = pod["metadata"]["labels"]["perennial.dev/training-job"]
            self._pods[name] = pod["metadata"]["name"]
            yield name

    async def change_child(self, api: Api, name: str) -> None:
        """What a kubelet writes when it has started the pod."""
        await api.patch(f"{training_jobs.PODS}/{self._pods[name]}/status", {"status": {"phase": "Running"}})


def value(text: str, name: str) -> float:
    """The sum of the samples in Prometheus' text format whose name and labels begin so."""
    return sum(float(number) for number in re.findall(rf"^{re.escape(name)}.*? (\S+)$", text, re.MULTILINE))


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
