"""The cache: the newest version of each watched object."""

import marshal
import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from perennial.api.status import UNOBSERVED
from perennial.decide.labels import DEPLOYMENT
from perennial.decide.outcome import Manifest
from perennial.kube.keys import Key, affected
from perennial.kube.resources import OWN, Resource, Sighting

_Name = tuple[str, str, str, str]
_Entry = tuple[str, ...]
_REMEMBERED_DELETIONS = 10_000

# A watch shows an object without a status this soon after its creation, or it may show the past.
_SOON = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class _PackedObject:
    """An object, packed: as dictionaries it would take six times the memory and save microseconds."""

    name: _Name
    version: int
    entries: tuple[_Entry, ...]
    has_status: bool
    is_untouched: bool
    packed: bytes

    @classmethod
    def of(cls, manifest: Manifest) -> "_PackedObject":
        at = {key: value for key, value in manifest["metadata"].items() if key != "managedFields"}
        packed = marshal.dumps(manifest | {"metadata": at})
        status = manifest.get("status") not in (None, {}, UNOBSERVED)
        untouched = not status and _age(manifest) < _SOON
        return cls(_name(manifest), version(manifest), tuple(_entries(manifest)), status, untouched, packed)

    def manifest(self) -> Manifest:
        unpacked: Manifest = marshal.loads(self.packed)
        return unpacked


class Cache:
    """Objects by name, by owner, and pods by their Deployment.

    The watch and the responses to our own writes both feed it, in any order: the higher resourceVersion wins
    (comparable since Kubernetes 1.35). A deleted object does not come back; one that lost our label and gets it
    again does.

    It calls `changed` with each affected key; an echo of our own write triggers no reconcile.
    """

    def __init__(self, changed: Callable[[Key], None]) -> None:
        self._changed = changed
        self._objects: dict[str, _PackedObject] = {}
        self._names: dict[_Name, str] = {}
        self._index: defaultdict[_Entry, set[str]] = defaultdict(set)
        self._deleted: dict[str, float] = {}

    def put(self, manifest: Manifest) -> None:
        """Stores an object, unless the cache has a newer version."""
        uid, other = manifest["metadata"]["uid"], self._names.get(_name(manifest), "")
        newest = max(self._objects[other].version if other else 0, self._deleted.get(uid, 0))
        if newest >= version(manifest):
            return
        self._deleted.pop(uid, None)
        if other and other != uid:
            self.remove(other)
        self._forget(uid)
        cached = self._objects[uid] = _PackedObject.of(manifest)
        self._names[cached.name] = uid
        for entry in cached.entries:
            self._index[entry].add(uid)
        self._notify(manifest)

    def remove(self, uid: str, version: float = math.inf) -> None:
        """Drops an object that is deleted, or no longer labeled as ours, as of this resourceVersion."""
        if uid in self._objects and self._objects[uid].version > version:
            return
        self._deleted[uid] = version
        if len(self._deleted) > _REMEMBERED_DELETIONS:
            self._deleted.pop(next(iter(self._deleted)))
        if cached := self._forget(uid):
            self._notify(cached.manifest())

    def _forget(self, uid: str) -> _PackedObject | None:
        cached = self._objects.pop(uid, None)
        if cached is None:
            return None
        del self._names[cached.name]
        for entry in cached.entries:
            self._index[entry].discard(uid)
            if not self._index[entry]:
                del self._index[entry]
        return cached

    def _notify(self, manifest: Manifest) -> None:
        for key in affected(manifest):
            self._changed(key)

    def was_deleted(self, uid: str) -> bool:
        """Whether this object was deleted recently."""
        return uid in self._deleted

    def get(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        """The object of this name."""
        cached = self._find(resource, namespace, name)
        return cached.manifest() if cached else None

    def version(self, resource: Resource, namespace: str, name: str) -> int | None:
        """The cached resourceVersion of the object of this name."""
        cached = self._find(resource, namespace, name)
        return cached.version if cached else None

    def is_new(self, key: Key) -> bool:
        """Whether the object has no status yet."""
        cached = self._find(OWN[key.kind], key.namespace, key.name)
        return cached is None or not cached.has_status

    def is_untouched(self, uid: str) -> bool:
        """Whether surely nothing was done for the object yet: seen without a status, soon after its creation."""
        return uid in self._objects and self._objects[uid].is_untouched

    def _find(self, resource: Resource, namespace: str, name: str) -> _PackedObject | None:
        return self._objects.get(self._names.get((resource.api_version, resource.kind, namespace, name), ""))

    def owned(self, owner: str, resource: Resource) -> list[Manifest]:
        """The objects of a resource owned by this uid, by name."""
        return self._of(("owner", owner), resource)

    def pods_of_deployment(self, resource: Resource, namespace: str, name: str) -> list[Manifest]:
        """The pods of one of our Deployments, by label: ReplicaSets stand between owner and pods."""
        return self._of(("deployment", namespace, name), resource)

    def all(self, resource: Resource) -> Iterator[Manifest]:
        """Every object of a resource."""
        return (cached.manifest() for cached in self._objects.values() if _is(cached, resource))

    def sightings(self, resource: Resource) -> Iterator[Sighting]:
        """The cached versions of a resource's objects."""
        for uid, cached in self._objects.items():
            if _is(cached, resource):
                yield Sighting(*cached.name[2:], uid, cached.version)

    def __len__(self) -> int:
        return len(self._objects)

    def _of(self, entry: _Entry, resource: Resource) -> list[Manifest]:
        entries = [self._objects[uid] for uid in self._index.get(entry, ())]
        return [
            cached.manifest() for cached in sorted(entries, key=lambda cached: cached.name) if _is(cached, resource)
        ]


def version(manifest: Manifest) -> int:
    """The resourceVersion as a number."""
    return int(manifest["metadata"]["resourceVersion"])


def _age(manifest: Manifest) -> timedelta:
    created = manifest["metadata"].get("creationTimestamp")
    return datetime.now(UTC) - datetime.fromisoformat(created) if created else timedelta.max


def _entries(manifest: Manifest) -> Iterator[_Entry]:
    """The index entries of the object."""
    at = manifest["metadata"]
    for owner in at.get("ownerReferences", ()):
        yield "owner", owner["uid"]
    if deployment := (at.get("labels") or {}).get(DEPLOYMENT):
        yield "deployment", at["namespace"], deployment


def _name(manifest: Manifest) -> _Name:
    at = manifest["metadata"]
    return manifest["apiVersion"], manifest["kind"], at["namespace"], at["name"]


def _is(cached: _PackedObject, resource: Resource) -> bool:
    return cached.name[:2] == (resource.api_version, resource.kind)
