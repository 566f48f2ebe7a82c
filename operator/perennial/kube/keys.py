"""Keys of our objects, and which of them a change affects."""

from typing import NamedTuple

from perennial.api.kind import Kind
from perennial.decide.labels import API_VERSION, DEPLOYMENT, OWNER_KIND, OWNER_NAME, TRAINING_JOB
from perennial.decide.outcome import Manifest
from perennial.kube.resources import OWN


class Key(NamedTuple):
    """One of our objects."""

    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, obj: Kind) -> "Key":
        """The key of a parsed object."""
        return cls(obj.KIND, obj.metadata.namespace, obj.metadata.name)

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


def key_of(manifest: Manifest) -> Key:
    """The key of an object of ours."""
    return Key(manifest["kind"], manifest["metadata"]["namespace"], manifest["metadata"]["name"])


def affected(manifest: Manifest) -> set[Key]:
    """The keys to reconcile after a change of this object: its own, and those of its owners."""
    labels = manifest["metadata"].get("labels") or {}
    owners = {(o["kind"], o["name"]) for o in manifest["metadata"].get("ownerReferences", ()) if _is_ours(o)}
    owners.add((labels.get(OWNER_KIND), labels.get(OWNER_NAME)))
    owners.add(("TrainingJob", labels.get(TRAINING_JOB)))
    owners.add(("Deployment", labels.get(DEPLOYMENT)))
    namespace = manifest["metadata"]["namespace"]
    keys = {Key(kind, namespace, name) for kind, name in owners if kind in OWN and name}
    return keys | {key_of(manifest)} if _is_ours(manifest) else keys


def _is_ours(reference: Manifest) -> bool:
    return reference["apiVersion"] == API_VERSION and reference["kind"] in OWN
