"""Pods that the cluster takes from a node, or whose node is lost: which pod, which node, and by what."""

from datetime import datetime

from perennial.api.status import Condition
from perennial.decide.kube import ConditionView, PodView, condition, true_condition
from perennial.decide.pods.diagnosis import Trouble

# Reasons of the condition DisruptionTarget (KEP-3329), each with ours and the cause.
_TARGETED = {
    "EvictionByEvictionAPI": ("PodEvicted", "it was evicted, as by a drain"),
    "DeletionByTaintManager": ("PodEvicted", "the node has a taint that the pod does not tolerate"),
    "PreemptionByScheduler": ("PodPreempted", "a pod with a higher priority takes its place"),
    "DeletionByPodGC": ("NodeLost", "the node is out of service or no longer exists"),
}
DISRUPTIONS = frozenset({"NodeLost"} | {reason for reason, _ in _TARGETED.values()})


def disruption(pod: PodView) -> Trouble | None:
    """What takes the pod from its node, or cuts it off; the containers know nothing of it."""
    if lost := _lost(pod):
        return Trouble("NodeLost", _unreachable(pod, lost.last_transition_time))
    target = true_condition(pod, "DisruptionTarget")
    if target is None or target.reason == "TerminationByKubelet":  # the kubelet says itself why
        return None
    reason, cause = _TARGETED.get(target.reason or "", ("PodEvicted", target.message or "it was evicted"))
    return Trouble(reason, f"Pod {pod.name} leaves node {pod.node}: {cause}.")


def _lost(pod: PodView) -> ConditionView | None:
    """The condition Ready of a pod on a node that no longer reports.

    The node controller makes it false and leaves the rest as it was; the kubelet, which gives a reason for each pod
    that is not ready, no longer reports.
    """
    ready = condition(pod, "Ready")
    unexplained = ready is not None and ready.status == "False" and not ready.reason
    return ready if unexplained and true_condition(pod, "ContainersReady") else None


def _unreachable(pod: PodView, since: datetime | None) -> str:
    duration = f"has been unreachable since {since:%Y-%m-%dT%H:%M:%SZ}" if since else "is unreachable"
    lost = f"Node {pod.node} of pod {pod.name} {duration}"
    if pod.is_terminating:
        return f"{lost}, and the pod can't end there; repair the node, or run `kubectl delete node {pod.node}`."
    return f"{lost}; Kubernetes deletes the pod after 5 minutes, unless the node reports again."


def last_disruption(conditions: list[Condition], generation: int) -> Trouble | None:
    """The disruption that the status tells of. The pod is gone long before another one is ready in its place."""
    ready = next((each for each in conditions if each.type == "Ready"), None)
    if ready is None or ready.reason not in DISRUPTIONS or ready.observed_generation != generation:
        return None
    return Trouble(ready.reason, ready.message)
