"""Lays what a user wants of a pod over the pod that a decision has made."""

from collections.abc import Mapping
from typing import Any

from perennial.api.pod import PodOverlay
from perennial.decide.outcome import Manifest

_POD_FIELDS = (
    "nodeSelector", "tolerations", "affinity", "priorityClassName", "schedulerName", "serviceAccountName",
    "imagePullSecrets",
)  # fmt: skip


def overlaid(template: Manifest, overlay: PodOverlay) -> Manifest:
    """The pod template with the overlay; of names that both have, the API keeps those of the template from users."""
    wanted = overlay.to_wire()
    spec = template["spec"]
    (container,) = spec["containers"]
    metadata = template["metadata"]
    return {
        "metadata": metadata | {"labels": wanted.get("labels", {}) | metadata["labels"]} | _of(wanted, "annotations"),
        "spec": spec
        | _of(wanted, *_POD_FIELDS)
        | {
            "containers": [
                container
                | _of(wanted, "envFrom")
                | {"env": [*container["env"], *wanted.get("env", [])]}
                | {"volumeMounts": [*container["volumeMounts"], *wanted.get("volumeMounts", [])]}
            ],
            "volumes": [*spec["volumes"], *wanted.get("volumes", [])],
        },
    }


def _of(wanted: Mapping[str, Any], *names: str) -> Manifest:
    return {name: wanted[name] for name in names if name in wanted}
