"""What must be the same in the end, whatever happened to the operator meanwhile."""

import re
from collections import Counter
from typing import Any

from perennial_testing.cluster.control_plane import CHILDREN, Manifest
from perennial_testing.cluster.story import Story

# Numbers of the cluster, moments, and what Kubernetes' own controllers note for themselves.
_INCIDENTAL = re.compile(
    r"uid|resourceVersion|generation|managedFields|creationTimestamp|selfLink|generateName|clusterIPs?|"
    r".*[tT]ime|.*At|.*controller-uid|(pod-template|input)-hash|deployment\.kubernetes\.io/revision|"
    r"uncountedTerminatedPods|perennial\.dev/(manifest-hash|pod-spec|pod-template)"
)
_REPLICA_SET = re.compile(r'ReplicaSet "[a-z0-9-]+"')
_POD_FIELDS = (
    "app.kubernetes.io/managed-by",
    "perennial.dev/training-job",
    "perennial.dev/deployment",
    "perennial.dev/version",
)


def end_state(story: Story) -> dict[str, Any]:
    """The model's status, and every child with spec and status, without what a run can't repeat."""
    model = story.model()
    objects = [model, *story.control_plane.objects(story.namespace, *CHILDREN)]
    uids = {o["metadata"]["uid"]: f"<uid of {o['kind']}>" for o in objects}
    shown = {
        f"{o['apiVersion']}/{o['kind']} {o['metadata']['name']}": _plain(o, uids, story.namespace) for o in objects
    }
    return shown | {"pods": _pods(story), "current": _is_current(objects)}


def _is_current(objects: list[Manifest]) -> bool:
    """Whether every status speaks of the newest spec."""
    seen = [(o["status"]["observedGeneration"], o["metadata"]["generation"]) for o in objects if _tells(o)]
    return all(observed == generation for observed, generation in seen)


def _tells(manifest: Manifest) -> bool:
    return "observedGeneration" in manifest.get("status", {})


def _pods(story: Story) -> dict[str, int]:
    pods = story.control_plane.objects(story.namespace, "v1/pods")
    told = [[p["metadata"]["labels"].get(name, "") for name in _POD_FIELDS] + [p["status"]["phase"]] for p in pods]
    return dict(Counter(" ".join(filter(None, one)) for one in told))


def _plain(value: Any, uids: dict[str, str], namespace: str) -> Any:
    if isinstance(value, dict):
        fields = {name: field for name, field in value.items() if not _INCIDENTAL.fullmatch(name)}
        fields.pop("observedGeneration", None)
        return {name: _plain(field, uids, namespace) for name, field in fields.items()}
    if isinstance(value, list):
        return [_plain(item, uids, namespace) for item in value]
    if isinstance(value, str):
        for uid, name in uids.items():
            value = value.replace(uid, name).replace(uid[:8], name)
        return _REPLICA_SET.sub("<ReplicaSet>", value.replace(namespace, "<namespace>"))
    return value


def differences(expected: Any, found: Any, at: str = "") -> list[str]:
    """Where two end states differ."""
    if isinstance(expected, dict) and isinstance(found, dict):
        names = sorted(expected.keys() | found.keys())
        return [d for name in names for d in differences(expected.get(name), found.get(name), f"{at}/{name}")]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = enumerate(zip(expected, found, strict=True))
        return [d for i, (one, other) in pairs for d in differences(one, other, f"{at}[{i}]")]
    return [] if expected == found else [f"{at}: {expected!r}, here {found!r}"]
