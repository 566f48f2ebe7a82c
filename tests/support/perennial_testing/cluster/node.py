"""Where there is no node: ends pods as one would, by writing their status."""

import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from kubernetes.client.exceptions import ApiException

from perennial_testing.cluster.control_plane import ControlPlane, Manifest
from perennial_testing.specs.small_manifests import DIGEST

# What a training leaves: the exit code and the termination message.
End = tuple[int, dict[str, Any]]
# How the training with this job.json ends; None while it goes on.
Train = Callable[[dict[str, Any]], End | None]
JOB, SERVICE = "perennial.dev/training-job", "perennial.dev/deployment"
# Seconds between two looks: each pod is pending, running and ended for at least this long.
PERIOD = 0.3


def loss_by_seed(config: dict[str, Any]) -> End:
    """Ends well; the seed says the loss in tenths, and the served version has the loss of its own seed."""
    seed = config["training"]["hyperparameters"]["seed"]
    served = config.get("compareWith")
    comparison = {"version": served["version"], "metrics": metrics(SERVED_LOSS)} if served else None
    artifact = {"uri": config["output"]["uri"], "digest": DIGEST, "sizeBytes": 4096}
    common = {"perennial": "result", "schema": 1, "artifact": artifact, "steps": 300, "comparison": comparison}
    return 0, common | {"metrics": metrics(seed / 10), "initialMetrics": metrics(7.6)}


# What every run finds the served version's loss to be.
SERVED_LOSS = 3.0


def metrics(loss: float) -> dict[str, float]:
    return {"loss": loss, "perplexity": round(2.718281828**loss, 4), "bitsPerByte": round(loss / 2, 4)}


def empty_corpus(config: dict[str, Any]) -> End:
    """Fails at once, as bad data does."""
    told = f"{config['data']['train'][0]['uri']} holds no text."
    return 65, {"perennial": "failure", "reason": "EmptyCorpus", "message": told}


class Node(threading.Thread):
    """Looks after the pods of one namespace until the block ends."""

    def __init__(self, control_plane: ControlPlane, namespace: str, train: Train) -> None:
        super().__init__(daemon=True)
        self._control_plane = control_plane
        self._core = control_plane.clients()[0]
        self._namespace = namespace
        self._train = train
        self._ended = threading.Event()
        self.trained: list[str] = []

    def __enter__(self) -> "Node":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()

    def run(self) -> None:
        while not self._ended.wait(PERIOD):
            for pod in self._control_plane.objects(self._namespace, "v1/pods"):
                try:
                    self._look_after(pod)
                except ApiException as error:
                    if error.status not in (404, 409):  # gone or changed meanwhile
                        raise

    def _look_after(self, pod: Manifest) -> None:
        labels, phase = pod["metadata"]["labels"], pod["status"]["phase"]
        if phase == "Pending":
            self._write(pod, "Running", {"running": {"startedAt": _now()}}, ready=True)
        elif phase == "Running" and JOB in labels:
            config = self._core.read_namespaced_config_map(f"{labels[JOB]}-config", self._namespace)
            if end := self._train(json.loads(config.data["job.json"])):
                self._end(pod, end[0], json.dumps(end[1]))
                self.trained.append(labels[JOB])
        elif phase == "Running" and SERVICE not in labels:
            self._end(pod, 0, "")

    def _end(self, pod: Manifest, code: int, message: str) -> None:
        ended = {"exitCode": code, "message": message, "reason": "Error" if code else "Completed"}
        times = {"startedAt": _now(), "finishedAt": _now()}
        self._write(pod, "Failed" if code else "Succeeded", {"terminated": ended | times}, ready=False)

    def _write(self, pod: Manifest, phase: str, state: dict[str, Any], ready: bool) -> None:
        container = pod["spec"]["containers"][0]
        status = {
            "phase": phase,
            "startTime": _now(),
            "conditions": [
                {"type": name, "status": str(ready), "lastTransitionTime": _now()}
                for name in ("Initialized", "ContainersReady", "Ready")
            ],
            "containerStatuses": [
                {
                    "name": container["name"], "image": container["image"], "imageID": "", "ready": ready,
                    "started": ready, "restartCount": 0, "state": state,
                }
            ],
        }  # fmt: skip
        self._core.patch_namespaced_pod_status(pod["metadata"]["name"], self._namespace, {"status": status})


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def eventually(what: Callable[[], Any], why: str, seconds: float = 180) -> Any:
    """The first true answer; AssertionError with what was answered last if there is none in time."""
    end = time.monotonic() + seconds
    while not (answer := what()):
        assert time.monotonic() < end, f"{why}: not within {seconds:.0f} s"
        time.sleep(0.25)
    return answer
