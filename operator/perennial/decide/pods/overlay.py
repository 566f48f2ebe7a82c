"""What users and the platform lay over a pod template."""

from typing import Any

from perennial.api.pod import PodOverlay
from perennial.decide.defaults import PodDefaults
from perennial.decide.outcome import Manifest

_MAPS = ("labels", "annotations", "nodeSelector")
# Lists whose entries have an identity by this key.
_KEYS = {"env": "name", "volumes": "name", "imagePullSecrets": "name", "volumeMounts": "mountPath"}
_OF_CONTAINERS = ("env", "envFrom", "volumeMounts")


def overlaid(template: Manifest, defaults: PodDefaults, overlay: PodOverlay) -> Manifest:
    """The pod template with the user's overlay, and with the defaults of the platform below it.

    What the template itself has stays: it takes precedence over both, except for its security context.
    """
    below = defaults.to_wire()
    below.pop("cleanupResources", None)
    security = {"securityContext": below.pop("securityContext")} if "securityContext" in below else {}
    added = _joined(overlay.to_wire(), below)
    metadata = _joined(template["metadata"], _taken(added, "labels", "annotations"))
    of_containers = _taken(added, *_OF_CONTAINERS)
    spec = _joined(template["spec"], added) | security
    for kind in ("initContainers", "containers"):
        if kind in spec:
            spec[kind] = [_joined(container, of_containers) for container in spec[kind]]
    return {"metadata": metadata, "spec": spec}


def _taken(fields: Manifest, *names: str) -> Manifest:
    return {name: fields.pop(name) for name in names if name in fields}


def _joined(above: Manifest, below: Manifest) -> Manifest:
    """Maps and lists are joined entry by entry; of anything else the upper one counts."""
    return above | {name: _both(name, above[name], value) if name in above else value for name, value in below.items()}


def _both(name: str, above: Any, below: Any) -> Any:
    if name in _MAPS:
        return below | above
    if isinstance(above, list):
        present = [_identity(name, entry) for entry in above]
        return [*above, *(entry for entry in below if _identity(name, entry) not in present)]
    return above


def _identity(name: str, entry: Manifest) -> Any:
    return entry[_KEYS[name]] if name in _KEYS else entry
