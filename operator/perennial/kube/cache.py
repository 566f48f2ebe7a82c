"""What is known of the cluster: the newest version that was seen of each watched object."""

import marshal
import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from perennial.decide.labels import DEPLOYMENT
from perennial.decide.outcome import Manifest
from perennial.kube.keys import Key, concerned
from perennial.kube.resources import OWN, Resource, Sighting

_Name = tuple[str, str, str, str]
_Entry = tuple[str, ...]
_REMEMBERED_DELETIONS = 10_000


@dataclass(frozen=True, slots=True)
class _Known:
    """An object, packed: as dictionaries it would take six times the memory, for the microseconds of unpacking it."""

    name: _Name
    version: int
    entries: tuple[_Entry, ...]
    has_status: bool
    packed: bytes

    @classmethod
    def of(cls, manifest: Manifest) -> "_Known":
        at = {key: value for key, value in manifest["metadata"].items() if key != "managedFields"}
        packed = marshal.dumps(manifest | {"metadata": at})
        status = bool(manifest.get("status"))
        return cls(_name(manifest), version(manifest), tuple(_entries(manifest)), status, packed)

    def manifest(self) -> Manifest:
        unpacked: Manifest = marshal.loads(self.packed)
        return unpacked


class Cache:
    """Objects by name, by owner and by the Deployment whose pod they are.

    The watch and the answers to our own writes both feed it, in any order: the higher resourceVersion wins
    (comparable since Kubernetes 1.35), and what was deleted does not come back; what has lost its label and got it
    again does.

    It calls `changed` with each key that a news concerns; so the watch's echo of a write of our own costs no look.
    """

    def __init__(self, changed: Callable[[Key], None]) -> None:
        self._changed = changed
        self._objects: dict[str, _Known] = {}
        self._names: dict[_Name, str] = {}
        self._index: defaultdict[_Entry, set[str]] = defaultdict(set)
        self._deleted: dict[str, float] = {}

    def put(self, manifest: Manifest) -> None:
        """Takes note of an object, unless something newer is known."""
        uid, other = manifest["metadata"]["uid"], self._names.get(_name(manifest), "")
        newest = max(self._objects[other].version if other else 0, self._deleted.get(uid, 0))
        if newest >= version(manifest):
            return
        self._deleted.pop(uid, None)
        if other and other != uid:
            self.remove(other)
        self._forget(uid)
        known = self._objects[uid] = _Known.of(manifest)
        self._names[known.name] = uid
        for entry in known.entries:
            self._index[entry].add(uid)
        self._tell(manifest)

    def remove(self, uid: str, version: float = math.inf) -> None:
        """Takes note that the object is gone, or no longer labelled as ours, as of this resourceVersion."""
        if uid in self._objects and self._objects[uid].version > version:
            return
        self._deleted[uid] = version
        if len(self._deleted) > _REMEMBERED_DELETIONS:
            self._deleted.pop(next(iter(self._deleted)))
        if known := self._forget(uid):
            self._tell(known.manifest())

    def _forget(self, uid: str) -> _Known | None:
        known = self._objects.pop(uid, None)
        if known is None:
            return None
        del self._names[known.name]
        for entry in known.entries:
            self._index[entry].discard(uid)
            if not self._index[entry]:
                del self._index[entry]
        return known

    def _tell(self, news: Manifest) -> None:
        for key in concerned(news):
            self._changed(key)

    def was_deleted(self, uid: str) -> bool:
        """Whether a deletion of this object was seen lately."""
        return uid in self._deleted

    def get(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        """The object of this name."""
        known = self._find(resource, namespace, name)
        return known.manifest() if known else None

    def version(self, resource: Resource, namespace: str, name: str) -> int | None:
        """The resourceVersion that is known of the object of this name."""
        known = self._find(resource, namespace, name)
        return known.version if known else None

    def is_new(self, key: Key) -> bool:
        """Whether nothing was ever decided on the object."""
        known = self._find(OWN[key.kind], key.namespace, key.name)
        return known is None or not known.has_status

    def _find(self, resource: Resource, namespace: str, name: str) -> _Known | None:
        return self._objects.get(self._names.get((resource.api_version, resource.kind, namespace, name), ""))

    def owned(self, owner: str, resource: Resource) -> list[Manifest]:
        """The objects of a resource that have this uid as an owner, by name."""
        return self._of(("owner", owner), resource)

    def pods_of_deployment(self, resource: Resource, namespace: str, name: str) -> list[Manifest]:
        """The pods that serve for one of our Deployments: ReplicaSets are between them, so that labels must do."""
        return self._of(("deployment", namespace, name), resource)

    def all(self, resource: Resource) -> Iterator[Manifest]:
        """Every object of a resource."""
        return (known.manifest() for known in self._objects.values() if _is(known, resource))

    def sightings(self, resource: Resource) -> Iterator[Sighting]:
        """Which versions of a resource's objects are known."""
        for uid, known in self._objects.items():
            if _is(known, resource):
                yield Sighting(*known.name[2:], uid, known.version)

    def __len__(self) -> int:
        return len(self._objects)

    def _of(self, entry: _Entry, resource: Resource) -> list[Manifest]:
        found = [self._objects[uid] for uid in self._index.get(entry, ())]
        return [known.manifest() for known in sorted(found, key=lambda known: known.name) if _is(known, resource)]


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


def _is(known: _Known, resource: Resource) -> bool:
    return known.name[:2] == (resource.api_version, resource.kind)
