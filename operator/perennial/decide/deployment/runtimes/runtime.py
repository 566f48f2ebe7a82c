"""The protocol of a serving runtime: all that the operator knows of the program that serves a model."""

from dataclasses import dataclass
from typing import Protocol

from perennial.api import ModelDeployment
from perennial.decide.defaults import Defaults
from perennial_contract import pod

# Folders in the pod: of the artifact, where the runtime has it fetched, and of the keys of its clients.
MODEL_FOLDER = f"{pod.MOUNTS}/{pod.MODEL}"
API_KEYS_FOLDER = f"{pod.MOUNTS}/{pod.API_KEYS}"


@dataclass(frozen=True)
class Probe:
    """An HTTP GET by the kubelet."""

    path: str
    period_seconds: int
    failure_threshold: int


@dataclass(frozen=True)
class Probes:
    """The probes of the serving container."""

    startup: Probe
    readiness: Probe
    liveness: Probe


class ServingRuntime(Protocol):
    """A program that serves a model.

    queue_depth_metric: the gauge of queued requests of one replica.
    """

    @property
    def name(self) -> str: ...

    @property
    def port(self) -> int: ...

    @property
    def probes(self) -> Probes: ...

    @property
    def queue_depth_metric(self) -> str: ...

    def image(self, deployment: ModelDeployment, defaults: Defaults) -> str:
        """Image of the serving container."""

    def fetch_image(self, deployment: ModelDeployment, defaults: Defaults) -> str | None:
        """Image that copies the artifact into MODEL_FOLDER and verifies it; None: the runtime reads no artifact."""

    def command(self, deployment: ModelDeployment) -> list[str]:
        """Command of the serving container."""

    def api_keys(self, deployment: ModelDeployment) -> str | None:
        """Secret with the keys of the clients, to be mounted at API_KEYS_FOLDER, if it has any."""

    def url_path(self, task: str) -> str:
        """Path of the URL that clients of the task expect."""
