"""Applies an outcome: children, deletions, the status, and the Events. The only writer."""

import logging
import time
from datetime import datetime

from perennial.api.kind import Kind
from perennial.api.status import Condition, Status, StatusWithDecisions
from perennial.decide.kube import condition
from perennial.decide.labels import UNREADABLE_FIELD_MANAGER
from perennial.decide.outcome import Manifest, Outcome, Reference
from perennial.kube.cache import Cache
from perennial.kube.client import ApiError, Cluster
from perennial.kube.keys import Key
from perennial.kube.manifests import as_text, first_difference, hash_of, holds, with_hash
from perennial.kube.resources import OWN, Resource, is_orphan_of, is_owned_by, resource_of
from perennial.loop import logs
from perennial.loop.events import Events
from perennial.loop.metrics import Metrics
from perennial.loop.refusals import Conflict, Refused, refused_status, translated, unreadable_status
from perennial.loop.repairs import Child, RepairMemory, Repairs, rewritten_event

logger = logging.getLogger(__name__)

# A resourceVersion that no object ever has: an apply with it creates, or fails (409) because the object exists.
NEVER = "1"


class Applier:
    """Writes outcomes. Each step is repeatable: after a crash anywhere, the next reconcile completes the rest."""

    def __init__(self, cache: Cache, cluster: Cluster, metrics: Metrics, repairs: RepairMemory) -> None:
        self._cache = cache
        self._cluster = cluster
        self._metrics = metrics
        self._repairs = repairs
        self._events = Events(cluster, metrics)

    async def apply(self, stored: Manifest, obj: Kind, outcome: Outcome, now: datetime) -> float | None:
        """The seconds until a child may be repaired again, if one waits for that.

        Raises Conflict, Refused (once the status reports it) or ApiError.
        """
        try:
            waits = [await self._apply_child(stored, obj, with_hash(manifest)) for manifest in outcome.apply]
        except Refused as refused:
            await self._store(stored, obj, refused_status(obj, outcome.status, str(refused), now))
            raise
        if outcome.delete:
            await self._confirm(stored)
        for reference in outcome.delete:
            await self._delete(obj, reference)
        await self._store(stored, obj, outcome.status)
        for event in outcome.events:
            await self._events.post(stored, event)
        return min((wait for wait in waits if wait), default=None)

    def forget(self, owner: Key) -> None:
        """The object is gone."""
        self._repairs.forget(owner)

    async def report_unreadable(self, stored: Manifest, cause: str, now: datetime) -> None:
        """Reports in the conditions that the object can't be parsed; the other fields of the status stay.

        Its own field manager writes them: an apply under the usual one would drop all fields that it does not name.
        """
        body = unreadable_status(stored, cause, now)
        if body is None:
            return
        resource, manager = OWN[stored["kind"]], UNREADABLE_FIELD_MANAGER
        try:
            self._cache.put(
                await self._cluster.apply(resource, body, force=True, subresource="status", manager=manager)
            )
        except ApiError as error:
            raise translated("status", error) from error

    async def _apply_child(self, stored: Manifest, owner: Kind, manifest: Manifest) -> float:
        """Returns the seconds until it may be repaired, 0 if there is nothing to wait for."""
        at = manifest["metadata"]
        resource = resource_of(manifest["apiVersion"], manifest["kind"])
        existing = self._cache.get(resource, at["namespace"], at["name"])
        if existing is None and not self._cache.is_untouched(stored["metadata"]["uid"]):
            await self._confirm(stored)  # what was decided on may be stale
        if existing is None and await self._create(owner, resource, manifest):
            return 0.0
        # An object without our labels is in no cache; only the server knows it.
        existing = existing or await self._cluster.get(resource, at["namespace"], at["name"])
        if existing is None:
            raise Conflict(f"{manifest['kind']} {at['name']} existed and is gone")
        _check_owner(owner, existing)
        if holds(existing, manifest):
            self._cache.put(existing)
        elif "deletionTimestamp" not in existing["metadata"]:
            return await self._change(stored, owner, resource, manifest, existing)
        return 0.0

    async def _change(
        self, stored: Manifest, owner: Kind, resource: Resource, manifest: Manifest, existing: Manifest
    ) -> float:
        """Writes a child that differs, unless its repair has to wait; returns the seconds until the next one."""
        child, now = Child(Key.of(owner), manifest["kind"], manifest["metadata"]["name"]), time.monotonic()
        repairs = self._repairs.of(child, hash_of(manifest), hash_of(existing), now)
        if wait := repairs.wait(now):
            return wait
        await self._confirm(stored)
        if repairs.is_reported:
            await self._report(stored, child, resource, manifest, repairs)
        verb = f"changed {as_text(first_difference(existing, manifest) or ())} of"
        same = manifest | {"metadata": manifest["metadata"] | {"uid": existing["metadata"]["uid"]}}
        applied = await self._write(owner, resource, same, verb, force=True)
        repairs = repairs.after_write(now, first_difference(applied, manifest))
        self._repairs.put(child, repairs, now)
        return 0.0 if repairs.rewritten is None else repairs.wait(now)

    async def _report(
        self, stored: Manifest, child: Child, resource: Resource, manifest: Manifest, repairs: Repairs
    ) -> None:
        """Reports what others change again; the server is asked, as the cache lacks the field managers."""
        observed = await self._cluster.get(resource, manifest["metadata"]["namespace"], child.name)
        path = first_difference(observed, manifest) if observed else None
        if observed is None or path is None:
            return
        rewritten = rewritten_event(child, observed, path, repairs)
        logs.of(logger, child.owner).warning("%s: %s", rewritten.reason, rewritten.message)
        await self._events.post(stored, rewritten)

    async def _confirm(self, stored: Manifest) -> None:
        """Before a late creation, a change or a deletion of a child: its owner is still the version decided on."""
        at = stored["metadata"]
        newest = await self._cluster.get(OWN[stored["kind"]], at["namespace"], at["name"])
        if newest and newest["metadata"]["resourceVersion"] == at["resourceVersion"]:
            return
        if newest:
            self._cache.put(newest)
        raise Conflict(f"{stored['kind']} {at['name']} has changed since the decision")

    async def _create(self, owner: Kind, resource: Resource, manifest: Manifest) -> bool:
        """Applies a new object; False if it exists. The server decides, so that nothing can come in between."""
        new = manifest | {"metadata": manifest["metadata"] | {"resourceVersion": NEVER}}
        try:
            await self._write(owner, resource, new, "created", force=False)
        except Conflict:
            return False
        return True

    async def _write(self, owner: Kind, resource: Resource, manifest: Manifest, verb: str, *, force: bool) -> Manifest:
        name = f"{manifest['kind']} {manifest['metadata']['name']}"
        try:
            applied = await self._cluster.apply(resource, manifest, force=force)
        except ApiError as error:
            raise translated(name, error) from error
        self._cache.put(applied)
        self._metrics.wrote("apply", resource.plural)
        logs.of(logger, Key.of(owner)).info("%s %s", verb, name)
        return applied

    async def _delete(self, owner: Kind, target: Reference) -> None:
        resource = resource_of(target.api_version, target.kind)
        try:
            await self._cluster.delete(resource, target.namespace, target.name, target.uid)
        except ApiError as error:
            if error.status not in {404, 409}:
                raise
            if target.uid:  # the watch has missed its deletion; another object may have its name
                self._cache.remove(target.uid)
            return
        self._metrics.wrote("delete", resource.plural)
        logs.of(logger, Key.of(owner)).info("deleted %s %s", target.kind, target.name)

    async def _store(self, stored: Manifest, obj: Kind, status: Status) -> None:
        """The preconditions reject a status that was decided on an older version of the object."""
        wire = status.to_wire()
        if wire == obj.status.to_wire():
            return
        at = {name: stored["metadata"][name] for name in ("name", "namespace", "uid", "resourceVersion")}
        resource = OWN[obj.KIND]
        body = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": at, "status": wire}
        try:
            self._cache.put(await self._cluster.apply(resource, body, force=True, subresource="status"))
        except ApiError as error:
            if error.status == 404:
                raise Conflict("the object is gone") from error
            raise translated("status", error) from error
        self._metrics.wrote("apply", f"{resource.plural}/status")
        self._announce(obj, status)
        _log_ready(obj, condition(obj.status, "Ready"), condition(status, "Ready"))
        _log_stalled(obj, condition(obj.status, "Stalled"), condition(status, "Stalled"))

    def _announce(self, obj: Kind, status: Status) -> None:
        """Counts and logs the new decisions of a stored status."""
        if not isinstance(status, StatusWithDecisions) or not isinstance(obj.status, StatusWithDecisions):
            return
        for decision in status.decisions:
            if decision not in obj.status.decisions:
                self._metrics.decided(Key.of(obj), decision.reason)
                logs.of(logger, Key.of(obj)).info(
                    "decision %s (%s): %s; %s", decision.reason, decision.rule, decision.observed, decision.outcome
                )


def _check_owner(owner: Kind, existing: Manifest) -> None:
    at = existing["metadata"]
    if is_owned_by(existing, owner.metadata.uid) or is_orphan_of(existing, owner.KIND, owner.metadata.name):
        return
    if any((each["kind"], each["name"]) == (owner.KIND, owner.metadata.name) for each in at.get("ownerReferences", ())):
        raise Conflict(f"{existing['kind']} {at['name']} of a deleted {owner.KIND} of this name is not gone yet")
    raise Refused(
        f"{existing['kind']} {at['name']} exists in namespace {at['namespace']} and does not belong to this "
        f"{owner.KIND}; delete or rename one of the two."
    )


def _log_ready(obj: Kind, before: Condition | None, after: Condition | None) -> None:
    if after and (before is None or (before.reason, before.message) != (after.reason, after.message)):
        level = logging.INFO if before is None or before.reason != after.reason else logging.DEBUG
        logs.of(logger, Key.of(obj)).log(level, "%s: %s", after.reason, after.message)


def _log_stalled(obj: Kind, before: Condition | None, after: Condition | None) -> None:
    """An object that needs a person."""
    if after and after.status == "True" and (before is None or before.reason != after.reason):
        logs.of(logger, Key.of(obj)).warning("stalled, %s: %s", after.reason, after.message)
