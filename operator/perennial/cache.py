"""What is known of the cluster: the newest version that was seen of each watched object."""

from collections import defaultdict
from collections.abc import Callable, Iterator

from perennial.decide.deployment.workload import LABEL as DEPLOYMENT
from perennial.decide.outcome import Manifest
from perennial.keys import Key, concerned
from perennial.resources import OWN, Resource

_Name = tuple[str, str, str, str]
_Entry = tuple[str, ...]
_REMEMBERED_DELETIONS = 10_000


class Cache:
    """Objects by name, by owner and by the Deployment whose pod they are.

    The watch and the answers to our own writes both feed it, in any order: the higher resourceVersion wins
    (comparable since Kubernetes 1.35), and what was deleted does not come back.

    It calls `changed` with each key that a news concerns; so the watch's echo of a write of our own costs no look.
    """

    def __init__(self, changed: Callable[[Key], None]) -> None:
        self._changed = changed
        self._objects: dict[str, Manifest] = {}
        self._names: dict[_Name, str] = {}
        self._index: defaultdict[_Entry, set[str]] = defaultdict(set)
        self._deleted: dict[str, None] = {}

    def put(self, manifest: Manifest) -> None:
        """Takes note of an object, unless something newer is known."""
        at = manifest["metadata"]
        uid, name = at["uid"], _name(manifest)
        other = self._objects.get(self._names.get(name, ""))
        if uid in self._deleted or (other and version(other) >= version(manifest)):
            return
        if other and other["metadata"]["uid"] != uid:
            self.remove(other["metadata"]["uid"])
        self._forget(uid)
        slim = {key: value for key, value in at.items() if key != "managedFields"}
        self._objects[uid] = manifest | {"metadata": slim}
        self._names[name] = uid
        for entry in _entries(manifest):
            self._index[entry].add(uid)
        self._tell(manifest)

    def remove(self, uid: str) -> None:
        """Takes note of a deletion."""
        self._deleted[uid] = None
        if len(self._deleted) > _REMEMBERED_DELETIONS:
            self._deleted.pop(next(iter(self._deleted)))
        if known := self._forget(uid):
            self._tell(known)

    def _forget(self, uid: str) -> Manifest | None:
        manifest = self._objects.pop(uid, None)
        if manifest is None:
            return None
        del self._names[_name(manifest)]
        for entry in _entries(manifest):
            self._index[entry].discard(uid)
            if not self._index[entry]:
                del self._index[entry]
        return manifest

    def _tell(self, news: Manifest) -> None:
        for key in concerned(news):
            self._changed(key)

    def was_deleted(self, uid: str) -> bool:
        """Whether a deletion of this object was seen lately."""
        return uid in self._deleted

    def get(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        """The object of this name."""
        return self._objects.get(self._names.get((resource.api_version, resource.kind, namespace, name), ""))

    def is_new(self, key: Key) -> bool:
        """Whether nothing was ever decided on the object."""
        return not (self.get(OWN[key.kind], key.namespace, key.name) or {}).get("status")

    def owned(self, owner: str, resource: Resource) -> list[Manifest]:
        """The objects of a resource that have this uid as an owner, by name."""
        return self._of(("owner", owner), resource)

    def pods_of_deployment(self, resource: Resource, namespace: str, name: str) -> list[Manifest]:
        """The pods that serve for one of our Deployments: ReplicaSets are between them, so that labels must do."""
        return self._of(("deployment", namespace, name), resource)

    def all(self, resource: Resource) -> Iterator[Manifest]:
        """Every object of a resource."""
        return (o for o in self._objects.values() if _is(o, resource))

    def __len__(self) -> int:
        return len(self._objects)

    def _of(self, entry: _Entry, resource: Resource) -> list[Manifest]:
        found = [self._objects[uid] for uid in self._index.get(entry, ()) if _is(self._objects[uid], resource)]
        return sorted(found, key=lambda manifest: str(manifest["metadata"]["name"]))


def version(manifest: Manifest) -> int:
    """The resourceVersion as a number."""
    return int(manifest["metadata"]["resourceVersion"])


def _entries(manifest: Manifest) -> Iterator[_Entry]:
    """Under what else the object is found than its name."""
    at = manifest["metadata"]
    for owner in at.get("ownerReferences", ()):
        yield "owner", owner["uid"]
    if deployment := (at.get("labels") or {}).get(DEPLOYMENT):
        yield "deployment", at["namespace"], deployment


def _name(manifest: Manifest) -> _Name:
    at = manifest["metadata"]
    return manifest["apiVersion"], manifest["kind"], at["namespace"], at["name"]


def _is(manifest: Manifest, resource: Resource) -> bool:
    return (manifest["apiVersion"], manifest["kind"]) == (resource.api_version, resource.kind)
