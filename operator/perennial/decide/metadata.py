"""Labels and owner references of the objects that Perennial creates."""

from perennial.api.kind import Kind
from perennial.decide.labels import API_VERSION, MANAGED_BY, OWNER_KIND, OWNER_NAME
from perennial.decide.outcome import Manifest


def labels_of(owner: Kind, extra: dict[str, str] | None = None) -> dict[str, str]:
    """The labels of all objects of an owner, pods included."""
    return MANAGED_BY | {OWNER_KIND: owner.KIND, OWNER_NAME: owner.metadata.name} | (extra or {})


def child(owner: Kind, api_version: str, kind: str, name: str, labels: dict[str, str] | None = None) -> Manifest:
    """The head of a child: garbage-collected with its owner, without the owner's own labels."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": owner.metadata.namespace,
            "labels": labels_of(owner, labels),
            "ownerReferences": [
                {
                    "apiVersion": API_VERSION,
                    "kind": owner.KIND,
                    "name": owner.metadata.name,
                    "uid": owner.metadata.uid,
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
    }
