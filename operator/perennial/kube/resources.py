"""The resources that the operator reads and writes, and their paths."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from perennial.api import KINDS
from perennial.decide.labels import API_VERSION, OWNER_KIND, OWNER_NAME
from perennial.decide.outcome import Manifest


@dataclass(frozen=True)
class Resource:
    """A namespaced resource."""

    api_version: str
    kind: str
    plural: str

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """The path on the API server; without a namespace that of all namespaces."""
        root = "/apis/" if "/" in self.api_version else "/api/"
        parts = [self.api_version, *(("namespaces", namespace) if namespace else ()), self.plural, name, subresource]
        return root + "/".join(part for part in parts if part)


class Sighting(NamedTuple):
    """Evidence of one version of an object."""

    namespace: str
    name: str
    uid: str
    version: int

    @classmethod
    def of(cls, at: dict[str, Any]) -> "Sighting":
        """From the object's metadata."""
        return cls(at["namespace"], at["name"], at["uid"], int(at["resourceVersion"]))


POD = Resource("v1", "Pod", "pods")
CONFIG_MAP = Resource("v1", "ConfigMap", "configmaps")
CLAIM = Resource("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
JOB = Resource("batch/v1", "Job", "jobs")
APPS_DEPLOYMENT = Resource("apps/v1", "Deployment", "deployments")
NETWORK_POLICY = Resource("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
EVENT = Resource("events.k8s.io/v1", "Event", "events")
# The core/v1 view of Events, which field selectors can filter by the involved object.
CORE_EVENT = Resource("v1", "Event", "events")
LEASE = Resource("coordination.k8s.io/v1", "Lease", "leases")

OWN = {kind.KIND: Resource(API_VERSION, kind.KIND, kind.PLURAL) for kind in KINDS}
CHILDREN = (
    POD,
    CONFIG_MAP,
    JOB,
    APPS_DEPLOYMENT,
    NETWORK_POLICY,
    Resource("v1", "Service", "services"),
    Resource("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
)
WATCHED = (*OWN.values(), *CHILDREN)
_BY_NAME = {(resource.api_version, resource.kind): resource for resource in WATCHED}


def resource_of(api_version: str, kind: str) -> Resource:
    """The resource of a watched kind; KeyError for any other kind, which is a bug."""
    return _BY_NAME[api_version, kind]


def is_owned_by(manifest: Manifest, uid: str) -> bool:
    """Whether the object has an owner with this uid."""
    owners: list[dict[str, Any]] = manifest["metadata"].get("ownerReferences", [])
    return any(owner["uid"] == uid for owner in owners)


def is_orphan_of(manifest: Manifest, kind: str, name: str) -> bool:
    """Whether the object has no owner, but was made for one of this kind and name: a deletion with --cascade=orphan
    leaves such objects, and some restores do. The next owner of this name adopts them, as a ReplicaSet does its pods.
    """
    at = manifest["metadata"]
    labels = at.get("labels", {})
    return not at.get("ownerReferences") and (labels.get(OWNER_KIND), labels.get(OWNER_NAME)) == (kind, name)
