"""What every pod that Perennial makes has in common: the restricted profile, mounts, and how it failed."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from perennial.api.common import Credentials
from perennial.decide.outcome import Manifest
from perennial.decide.scheduling import why_unscheduled
from perennial_contract import uri as uris

USER = 10001
CLAIMS = "/perennial/claims"
CONFIG_MAPS = "/perennial/configmaps"
SECRETS = "/perennial/secrets"

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
MOUNTING_PATIENCE = timedelta(seconds=30)
_IMAGE_REASONS = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}


@dataclass(frozen=True)
class Volumes:
    """The volumes that URIs need, and where they are mounted."""

    claims: tuple[str, ...]
    config_maps: tuple[str, ...]
    secrets: tuple[str, ...] = ()

    @classmethod
    def of(cls, locations: Iterable[str], credentials: Iterable[Credentials | None] = ()) -> "Volumes":
        """The claims and ConfigMaps that these URIs name, and the Secrets with credentials for them."""
        parsed = [uris.parse(location) for location in locations]
        names = {scheme: tuple(sorted({p.name for p in parsed if p.scheme == scheme})) for scheme in _SCHEMES}
        secrets = tuple(sorted({entry.secret_name for entry in credentials if entry}))
        return cls(names["pvc"], names["configmap"], secrets)

    def volumes(self, read_only: bool = False) -> list[Manifest]:
        """`spec.volumes` of the pod; /tmp is there for every pod, since the root is read-only."""
        claims = [
            {"name": f"claim-{i}", "persistentVolumeClaim": {"claimName": name} | _read_only(read_only)}
            for i, name in enumerate(self.claims)
        ]
        maps = [{"name": f"configmap-{i}", "configMap": {"name": name}} for i, name in enumerate(self.config_maps)]
        secrets = [
            {"name": f"secret-{i}", "secret": {"secretName": name, "optional": False, "defaultMode": 0o440}}
            for i, name in enumerate(self.secrets)
        ]
        return [{"name": "tmp", "emptyDir": {}}, *claims, *maps, *secrets]

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
        secrets = [
            {"name": f"secret-{i}", "mountPath": f"{SECRETS}/{name}", "readOnly": True}
            for i, name in enumerate(self.secrets)
        ]
        return [{"name": "tmp", "mountPath": "/tmp"}, *claims, *maps, *secrets]


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


def trouble(pod: Manifest, now: datetime) -> Trouble | None:
    """What keeps the pod from running: scheduling, an image, its configuration, its volumes, how a container ended."""
    status = pod.get("status", {})
    containers = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    found = (_unscheduled(status), *map(_container_trouble, containers), _unmounted(pod, now))
    return next(filter(None, found), None)


def waits_for_volumes(pod: Manifest) -> datetime | None:
    """Since when the node has been preparing the pod's volumes and network (KEP-3085); None if it isn't."""
    for condition in pod.get("status", {}).get("conditions", []):
        if condition["type"] == "PodReadyToStartContainers" and condition["status"] == "False":
            since = condition.get("lastTransitionTime")
            return datetime.fromisoformat(since) if since and pod["status"].get("phase") == "Pending" else None
    return None


def _unmounted(pod: Manifest, now: datetime) -> Trouble | None:
    """The kubelet tells of a missing Secret in an event only, and the operator may not look for Secrets."""
    since = waits_for_volumes(pod)
    names = [volume["secret"]["secretName"] for volume in pod.get("spec", {}).get("volumes", []) if "secret" in volume]
    if since is None or not names or now - since < MOUNTING_PATIENCE:
        return None
    secrets = " and ".join(f'Secret "{name}"' for name in names)
    at = pod["metadata"]
    asked = f"kubectl describe pod {at['name']} --namespace {at.get('namespace')}"
    return Trouble("VolumesNotMounted", f"The pod's volumes are not mounted: does {secrets} exist? Ask `{asked}`.")


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
            f"The image {container.get('image')} can't be pulled: {_cause(waiting)}",
        )
    if waiting.get("reason") in {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}:
        return Trouble("ContainerNotStarted", waiting.get("message", waiting["reason"]))
    ended = container.get("state", {}).get("terminated") or container.get("lastState", {}).get("terminated")
    return ended_badly(ended) if ended and ended.get("exitCode") else None


def _cause(waiting: Manifest) -> str:
    """Why an image can't be pulled: the same while the kubelet tries and while it waits to try again."""
    message = str(waiting.get("message", waiting["reason"]))
    return message.partition("ErrImagePull: ")[2] or message


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
