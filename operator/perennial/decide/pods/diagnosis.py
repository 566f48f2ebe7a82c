"""Why a pod does not run, in a sentence with advice: scheduling, image, configuration, volumes, failed containers."""

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from perennial.api.status import CONDITION_REASON
from perennial.decide.kube import ContainerView, PodView, Termination, Waiting, condition
from perennial_contract.exits import FAILURE, KIND, STOPPED

MOUNTING_PATIENCE = timedelta(seconds=30)
# A volume of the network is attached to another node in one to three minutes, unless a pod holds it where it is.
_ATTACHING_PATIENCE = timedelta(minutes=5)
# Between two looks for a missing claim or ConfigMap, which is not watched.
MISSING_PERIOD = timedelta(seconds=10)
_IMAGE_REASONS = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
_START_REASONS = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
# Reasons of kube-scheduler's plugins, and advice for each.
_SCHEDULING_ADVICE = (
    (r"untolerated taint", "tolerate the nodes' taints, or free nodes without"),
    (r"node affinity/selector", "correct the node selector or affinity, or label a node so"),
    (r"pod (anti-)?affinity", "correct the affinity to other pods, or add a node"),
    (r"PersistentVolumeClaim|volume", "check the pod's volumes (`kubectl describe pvc`)"),
    (r"unschedulable", "uncordon a node, or add one"),
)


_EVICTION_ADVICE = "Raise the limit or request that it names, or free the node's disk or memory."


@dataclass(frozen=True)
class Trouble:
    """A CamelCase reason and a sentence that a person can act on."""

    reason: str
    message: str


def trouble(pod: PodView, now: datetime) -> Trouble | None:
    """What keeps the pod from running, if anything."""
    containers = (*pod.init_containers, *pod.containers)
    causes = (_unscheduled(pod), ended_by_node(pod), *map(_container_trouble, containers), _unmounted(pod, now))
    return next(filter(None, causes), None)


def ended_by_node(pod: PodView) -> Trouble | None:
    """Why the kubelet itself ended the pod, such as an eviction; its containers only show that they were killed."""
    if pod.phase != "Failed" or not pod.reason or any(map(_told_cause, pod.containers)):
        return None
    advice = f" {_EVICTION_ADVICE}" if pod.reason == "Evicted" else ""
    return Trouble(_known_reason(pod.reason), f"{sentence(pod.message or pod.reason)}{advice}")


def _told_cause(container: ContainerView) -> bool:
    """Whether the container left a failure of its own; one that was told to stop does not know why."""
    failure = message_of(container.terminated, FAILURE) if container.terminated else None
    return failure is not None and failure.get("reason") != STOPPED


def sentence(text: str) -> str:
    """The text with a full stop at its end."""
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def waits_for_volumes(pod: PodView) -> datetime | None:
    """Since when the node has been preparing volumes and network of a pending pod (KEP-3085)."""
    preparing = condition(pod, "PodReadyToStartContainers")
    if preparing is None or preparing.status != "False" or pod.phase != "Pending":
        return None
    return preparing.last_transition_time


def _unmounted(pod: PodView, now: datetime) -> Trouble | None:
    """The kubelet reports by Events only that a Secret is missing or a claim in use on another node.

    The operator must not read Secrets, so it names them all.
    """
    since = waits_for_volumes(pod)
    if since is None:
        return None
    advice = f"Run `kubectl describe pod {pod.name} --namespace {pod.namespace}`."
    if pod.secret_volumes and now - since >= MOUNTING_PATIENCE:
        secrets = " and ".join(f'Secret "{name}"' for name in pod.secret_volumes)
        return Trouble("VolumesNotMounted", f"The pod's volumes are not mounted: does {secrets} exist? {advice}")
    if pod.claims and now - since >= _ATTACHING_PATIENCE:
        names = " and ".join(f'PersistentVolumeClaim "{name}"' for name in pod.claims)
        cause = "does a pod on another node use it? ReadWriteOnce allows one node, ReadWriteMany or s3:// any number"
        return Trouble("VolumesNotMounted", f"The pod's volumes are not mounted: {names}; {cause}. {advice}")
    return None


def _unscheduled(pod: PodView) -> Trouble | None:
    scheduled = condition(pod, "PodScheduled")
    if scheduled is None or scheduled.status != "False":
        return None
    return Trouble("Unschedulable", why_unscheduled(scheduled.message or ""))


def why_unscheduled(message: str) -> str:
    """What the nodes lack and what to do, with the scheduler's own words."""
    quote = f" The scheduler says: {message}" if message else ""
    if lacking := sorted(set(re.findall(r"Insufficient ([\w./-]*\w)", message))):
        names = " and ".join(lacking)
        return f"No node has enough {names} free for the pod; free some, add a node, or request less.{quote}"
    if "Too many pods" in message:
        return f"No node has room for another pod; free one, or add a node.{quote}"
    advice = next((advice for pattern, advice in _SCHEDULING_ADVICE if re.search(pattern, message)), None)
    return f"No node can run the pod{f'; {advice}' if advice else ''}.{quote}"


def _container_trouble(container: ContainerView) -> Trouble | None:
    if waiting := container.waiting:
        if waiting.reason in _IMAGE_REASONS:
            return Trouble("ImagePullFailed", f"Image {container.image} can't be pulled: {_cause(waiting)}")
        if waiting.reason in _START_REASONS:
            return Trouble("ContainerNotStarted", waiting.message or waiting.reason)
    end = container.terminated or container.last_terminated
    return failure_of(end) if end and end.exit_code else None


def _cause(waiting: Waiting) -> str:
    """Why an image can't be pulled: the same text during a pull and during the back-off after it."""
    message = waiting.message or waiting.reason
    return message.partition("ErrImagePull: ")[2] or message


def failure_of(end: Termination) -> Trouble:
    """The failure in the container's termination message, else the kubelet's reason."""
    if failure := message_of(end, FAILURE):
        return Trouble(_known_reason(str(failure.get("reason", ""))), str(failure.get("message", "")))
    if end.reason == "OOMKilled":
        return Trouble("OutOfMemory", "The container exceeded its memory limit; raise resources.limits.memory.")
    return Trouble("ContainerFailed", f"The container ended with exit code {end.exit_code}.")


def _known_reason(reason: str) -> str:
    """The reason of a failure; any program may have written it, so it may be none that a condition can have."""
    return reason if re.fullmatch(CONDITION_REASON, reason) and len(reason) <= 128 else "ContainerFailed"


def message_of(end: Termination, kind: str) -> dict[str, Any] | None:
    """The termination message, if it is one of this kind (exits.RESULT or exits.FAILURE)."""
    try:
        message = json.loads(end.message)
    except ValueError:
        return None
    return message if isinstance(message, dict) and message.get(KIND) == kind else None
