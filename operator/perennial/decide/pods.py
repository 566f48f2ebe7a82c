"""What every pod that Perennial makes has in common: the restricted profile, mounts, and how it failed."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from perennial.decide.outcome import Manifest
from perennial.decide.scheduling import why_unscheduled
from perennial_artifact import uri as uris

USER = 10001
CLAIMS = "/perennial/claims"
CONFIG_MAPS = "/perennial/configmaps"

POD_SECURITY = {
    "runAsNonRoot": True,
    "runAsUser": USER,
    "runAsGroup": USER,
    "fsGroup": USER,
    "fsGroupChangePolicy": "OnRootMismatch",
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINER_SECURITY = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
_IMAGE_REASONS = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}


@dataclass(frozen=True)
class Volumes:
    """The volumes that URIs need, and where they are mounted."""

    claims: tuple[str, ...]
    config_maps: tuple[str, ...]

    @classmethod
    def of(cls, locations: Iterable[str]) -> "Volumes":
        """The claims and ConfigMaps that these URIs name."""
        parsed = [uris.parse(location) for location in locations]
        names = {scheme: tuple(sorted({p.name for p in parsed if p.scheme == scheme})) for scheme in _SCHEMES}
        return cls(names["pvc"], names["configmap"])

    def volumes(self, read_only: bool = False) -> list[Manifest]:
        """`spec.volumes` of the pod; /tmp is there for every pod, since the root is read-only."""
        claims = [
            {"name": f"claim-{i}", "persistentVolumeClaim": {"claimName": name} | _read_only(read_only)}
            for i, name in enumerate(self.claims)
        ]
        maps = [{"name": f"configmap-{i}", "configMap": {"name": name}} for i, name in enumerate(self.config_maps)]
        return [{"name": "tmp", "emptyDir": {}}, *claims, *maps]

    def mounts(self, read_only: bool = False) -> list[Manifest]:
        """`volumeMounts` of a container."""
        claims = [
            {"name": f"claim-{i}", "mountPath": f"{CLAIMS}/{name}"} | _read_only(read_only)
            for i, name in enumerate(self.claims)
        ]
        maps = [
            {"name": f"configmap-{i}", "mountPath": f"{CONFIG_MAPS}/{name}", "readOnly": True}
            for i, name in enumerate(self.config_maps)
        ]
        return [{"name": "tmp", "mountPath": "/tmp"}, *claims, *maps]


_SCHEMES = ("pvc", "configmap")


def _read_only(read_only: bool) -> Manifest:
    return {"readOnly": True} if read_only else {}


def environment(**variables: str) -> list[Manifest]:
    """Environment of a container whose only writable folder is /tmp and that reaches no hub on its own."""
    return [{"name": name, "value": value} for name, value in ({"HOME": "/tmp"} | variables).items()]


@dataclass(frozen=True)
class Trouble:
    """Why a pod does not get on, in words for a person."""

    reason: str
    message: str


def trouble(pod: Manifest) -> Trouble | None:
    """What keeps the pod from running: scheduling, an image, its configuration, or how a container ended."""
    status = pod.get("status", {})
    containers = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    return next(filter(None, (_unscheduled(status), *map(_container_trouble, containers))), None)


def _unscheduled(status: Manifest) -> Trouble | None:
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return Trouble("Unschedulable", why_unscheduled(condition.get("message", "")))
    return None


def _container_trouble(container: Manifest) -> Trouble | None:
    waiting = container.get("state", {}).get("waiting") or {}
    if waiting.get("reason") in _IMAGE_REASONS:
        return Trouble(
            "ImagePullFailed",
            f"The image {container.get('image')} can't be pulled: {waiting.get('message', waiting['reason'])}",
        )
    if waiting.get("reason") in {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}:
        return Trouble("ContainerNotStarted", waiting.get("message", waiting["reason"]))
    ended = container.get("state", {}).get("terminated") or container.get("lastState", {}).get("terminated")
    return ended_badly(ended) if ended and ended.get("exitCode") else None


def ended_badly(ended: Manifest) -> Trouble:
    """The failure that a container left in its termination message, or else what the kubelet says of its end."""
    failure = message_of(ended, "failure")
    if failure:
        return Trouble(str(failure.get("reason", "Failed")), str(failure.get("message", "")))
    if ended.get("reason") == "OOMKilled":
        return Trouble("OutOfMemory", "The container used more memory than its limit; raise resources.limits.memory.")
    return Trouble("ContainerFailed", f"The container ended with exit code {ended.get('exitCode')}.")


def message_of(ended: Manifest, kind: str) -> dict[str, Any] | None:
    """The termination message of this kind (result, failure), if that is what the container left."""
    try:
        message = json.loads(ended.get("message") or "")
    except ValueError:
        return None
    return message if isinstance(message, dict) and message.get("perennial") == kind else None
