"""Where there is no node: takes pods on, or does not, as a cluster would, by what the pods ask for."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

from perennial.decide.kube import PodView
from perennial.decide.pods.diagnosis import trouble
from perennial.kube.resources import CONFIG_MAP, POD
from perennial_contract.found import FoundMessage
from perennial_testing.cluster.node import metrics
from perennial_testing.misoperation.cluster import Api, Manifest, Mirror, Refusal
from perennial_testing.specs.small_manifests import DIGEST

PERIOD = 0.3
JOB, SERVICE = "perennial.dev/training-job", "perennial.dev/deployment"
MISSING_IMAGE, BROKEN_IMAGE = "registry.example/missing:1", "registry.example/broken:1"
MOST_CORES = 64
# How a pod that works on storage ends: a deletion says nothing, an import finds no artifact.
NOTHING_FOUND = FoundMessage.of([]).to_wire()


class Nodes:
    """Some nodes with room for all that asks for less than MOST_CORES; claims tells which claims are there."""

    def __init__(self, api: Api, mirror: Mirror, claims: set[tuple[str, str]]) -> None:
        self._api, self._mirror, self._claims = api, mirror, claims

    async def run(self) -> None:
        while True:
            await asyncio.gather(*map(self._look_after, self._mirror.all(POD)))
            await asyncio.sleep(PERIOD)

    async def _look_after(self, pod: Manifest) -> None:
        status = self._next(pod)
        if status is None:
            return
        at = pod["metadata"]
        try:
            await self._api.merge(
                POD, at["namespace"], at["name"], {"metadata": {"uid": at["uid"]}, "status": status}, "status"
            )
        except Refusal as refusal:
            if refusal.status != 422:  # ended meanwhile
                raise

    def _next(self, pod: Manifest) -> Manifest | None:
        """What becomes of the pod next; None if it stays as it is."""
        labels, phase = pod["metadata"]["labels"], pod["status"]["phase"]
        if "deletionTimestamp" in pod["metadata"] or phase in ("Succeeded", "Failed"):
            return None
        if phase == "Pending":
            if why := self._unschedulable(pod):
                return None if trouble(PodView.of(pod), datetime.now(UTC)) else _unscheduled(why)
            if self._lacks_config(pod):
                return None
            if why := _unpullable(pod):
                state = {"waiting": {"reason": why, "message": "the image is not there"}}
                return (
                    None
                    if trouble(PodView.of(pod), datetime.now(UTC)) and _scheduled(pod)
                    else _status(pod, "Pending", state, ready=False)
                )
            return _status(pod, "Running", {"running": {"startedAt": _now()}}, ready=True)
        if JOB in labels:
            return self._trained(pod)
        return None if SERVICE in labels else _ended(pod, 0, json.dumps(NOTHING_FOUND))

    def _unschedulable(self, pod: Manifest) -> str | None:
        namespace = pod["metadata"]["namespace"]
        for volume in pod["spec"]["volumes"]:
            claim = volume.get("persistentVolumeClaim", {}).get("claimName")
            if claim and (namespace, claim) not in self._claims:
                return f'persistentvolumeclaim "{claim}" not found'
        cores = pod["spec"]["containers"][0].get("resources", {}).get("requests", {}).get("cpu", "0")
        return "0/3 nodes are available: 3 Insufficient cpu." if cores.isdigit() and int(cores) > MOST_CORES else None

    def _lacks_config(self, pod: Manifest) -> bool:
        name = pod["metadata"]["labels"].get(JOB)
        return bool(name) and self._mirror.get(CONFIG_MAP, pod["metadata"]["namespace"], f"{name}-config") is None

    def _trained(self, pod: Manifest) -> Manifest | None:
        name = pod["metadata"]["labels"][JOB]
        config_map = self._mirror.get(CONFIG_MAP, pod["metadata"]["namespace"], f"{name}-config")
        if pod["spec"]["containers"][0]["image"] == BROKEN_IMAGE:
            return _ended(pod, 78, _failure("NotATrainingImage", "The image has no training package."))
        return _end(pod, json.loads(config_map["data"]["job.json"])) if config_map else None


def _end(pod: Manifest, config: dict[str, Any]) -> Manifest | None:
    """The last digit of the seed says how a training ends: 7 badly, 8 and 9 not at all."""
    seed = config["training"]["hyperparameters"]["seed"]
    if seed % 10 in (8, 9):
        return None
    if seed % 10 == 7:
        return _ended(pod, 65, _failure("EmptyCorpus", "There is no text."))
    served = config.get("compareWith")
    result = {
        "perennial": "result",
        "schema": 1,
        "artifact": {"uri": config["output"]["uri"], "digest": DIGEST, "sizeBytes": 4096},
        "steps": 300,
        "metrics": metrics(1 + seed % 40 / 10),
        "initialMetrics": metrics(7.6),
        "comparison": {"version": served["version"], "metrics": metrics(3.0)} if served else None,
    }
    return _ended(pod, 0, json.dumps(result))


def _failure(reason: str, message: str) -> str:
    return json.dumps({"perennial": "failure", "reason": reason, "message": message})


def _ended(pod: Manifest, code: int, message: str) -> Manifest:
    ended = {"exitCode": code, "message": message, "reason": "Error" if code else "Completed"}
    times = {"startedAt": _now(), "finishedAt": _now()}
    return _status(pod, "Failed" if code else "Succeeded", {"terminated": ended | times}, ready=False)


def _unscheduled(why: str) -> Manifest:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why}
    return {"conditions": [condition | {"lastTransitionTime": _now()}]}


def _unpullable(pod: Manifest) -> str | None:
    image = pod["spec"]["containers"][0]["image"]
    if image == MISSING_IMAGE:
        return "ImagePullBackOff"
    return None if image.isascii() and image.islower() and " " not in image else "InvalidImageName"


def _scheduled(pod: Manifest) -> bool:
    return bool(pod["status"].get("containerStatuses"))


def _status(pod: Manifest, phase: str, state: Manifest, ready: bool) -> Manifest:
    container = pod["spec"]["containers"][0]
    types = ("PodScheduled", *(("Initialized", "ContainersReady", "Ready") if ready else ()))
    told = {"name": container["name"], "image": container["image"], "imageID": "", "ready": ready, "started": ready}
    return {
        "phase": phase,
        "startTime": pod["status"].get("startTime", _now()),
        "conditions": [{"type": name, "status": "True", "lastTransitionTime": _now()} for name in types],
        "containerStatuses": [told | {"restartCount": 0, "state": state}],
    }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
