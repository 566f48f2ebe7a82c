"""Why no node takes a pod, from the scheduler's message, and what to do about it."""

import re

# What kube-scheduler says of nodes (its plugins' reasons), and what follows.
_ADVICE = (
    (r"untolerated taint", "tolerate the nodes' taints, or free nodes without"),
    (r"node affinity/selector", "correct the node selector or affinity, or label a node so"),
    (r"pod (anti-)?affinity", "correct the affinity to other pods, or add a node"),
    (r"PersistentVolumeClaim|volume", "see to the pod's volumes (`kubectl describe pvc`)"),
    (r"unschedulable", "uncordon a node, or add one"),
)


def why_unscheduled(message: str) -> str:
    """A sentence that names what is missing and what to do, with the scheduler's own words."""
    said = f" The scheduler says: {message}" if message else ""
    if lacking := sorted(set(re.findall(r"Insufficient ([\w./-]*\w)", message))):
        names = " and ".join(lacking)
        return f"No node has enough {names} free for the pod; free some, add a node, or ask for less.{said}"
    if "Too many pods" in message:
        return f"No node has room for another pod; free one, or add a node.{said}"
    advice = next((advice for pattern, advice in _ADVICE if re.search(pattern, message)), None)
    return f"No node takes the pod{f'; {advice}' if advice else ''}.{said}"
