"""Carries out what was decided: children, deletions, the status, and the Events. The only writer."""

import hashlib
import json
import logging
from datetime import UTC, datetime

from perennial.api.common import ApiModel, Condition, Decision, Kind
from perennial.decide.conditions import conditions, summary
from perennial.decide.labels import UNREADABLE_FIELD_MANAGER
from perennial.decide.outcome import Event, Manifest, Outcome, Reference
from perennial.kube.cache import Cache
from perennial.kube.client import ApiError, Cluster
from perennial.kube.keys import Key, key_of
from perennial.kube.manifests import holds, with_hash
from perennial.kube.resources import EVENT, OWN, Resource, is_owned_by, resource_of
from perennial.loop import logs
from perennial.loop.metrics import Metrics

logger = logging.getLogger(__name__)

# 500 is what a value that does not parse gets, or a webhook that fails.
_REFUSALS = {400, 403, 413, 422, 500}
# A resourceVersion that nothing ever has: an apply with it creates, or is refused (409) because something is there.
NEVER = "1"
_LONGEST_NOTE = 1024
_LONGEST_MESSAGE = 2000


class Conflict(Exception):
    """What was decided on has changed meanwhile: look again."""


class Refused(Exception):
    """The API server, or whoever has taken the name, keeps a child from being as it should; says what to do."""


class Applier:
    """Writes outcomes. Every step may be repeated: a crash anywhere leaves nothing that the next look doesn't mend."""

    def __init__(self, cache: Cache, cluster: Cluster, metrics: Metrics) -> None:
        self._cache = cache
        self._cluster = cluster
        self._metrics = metrics

    async def carry_out(self, stored: Manifest, obj: Kind, outcome: Outcome, now: datetime) -> None:
        """Raises Conflict, Refused (after the status says so) or ApiError."""
        try:
            for manifest in outcome.apply:
                await self._apply(stored, obj, with_hash(manifest))
        except Refused as refused:
            await self._store(stored, obj, _refused(obj, outcome.status, str(refused), now))
            raise
        if outcome.delete:
            await self._confirm(stored)
        for reference in outcome.delete:
            await self._delete(obj, reference)
        await self._store(stored, obj, outcome.status)
        self._tell(obj, outcome.status)
        for event in outcome.events:
            await self._post(stored, event)

    async def _apply(self, stored: Manifest, owner: Kind, manifest: Manifest) -> None:
        at = manifest["metadata"]
        resource = resource_of(manifest["apiVersion"], manifest["kind"])
        there = self._cache.get(resource, at["namespace"], at["name"])
        if there is None and stored.get("status"):
            await self._confirm(stored)  # it may have had its time long ago
        if there is None and await self._create(owner, resource, manifest):
            return
        # What does not carry our labels is in no cache; only the server knows it.
        there = there or await self._cluster.get(resource, at["namespace"], at["name"])
        if there is None:
            raise Conflict(f"{manifest['kind']} {at['name']} was there and is gone")
        self._check_owner(owner, there)
        if holds(there, manifest):
            self._cache.put(there)
        elif "deletionTimestamp" not in there["metadata"]:
            await self._confirm(stored)
            same = manifest | {"metadata": at | {"uid": there["metadata"]["uid"]}}
            await self._write(owner, resource, same, "changed", force=True)

    async def _confirm(self, stored: Manifest) -> None:
        """Before a child is made late, changed or deleted: its owner may be newer than the version decided on."""
        at = stored["metadata"]
        newest = await self._cluster.get(OWN[stored["kind"]], at["namespace"], at["name"])
        if newest and newest["metadata"]["resourceVersion"] == at["resourceVersion"]:
            return
        if newest:
            self._cache.put(newest)
        raise Conflict(f"{stored['kind']} {at['name']} has changed meanwhile")

    async def _create(self, owner: Kind, resource: Resource, manifest: Manifest) -> bool:
        """Applies what is not there yet; False if it is. The server decides: nothing can come in between."""
        new = manifest | {"metadata": manifest["metadata"] | {"resourceVersion": NEVER}}
        try:
            await self._write(owner, resource, new, "created", force=False)
        except Conflict:
            return False
        return True

    async def _write(self, owner: Kind, resource: Resource, manifest: Manifest, done: str, *, force: bool) -> None:
        what = f"{manifest['kind']} {manifest['metadata']['name']}"
        try:
            applied = await self._cluster.apply(resource, manifest, force=force)
        except ApiError as error:
            raise _translated(what, error) from error
        self._cache.put(applied)
        self._metrics.wrote("apply", resource.plural)
        logs.of(logger, _key(owner)).info("%s %s", done, what)

    def _check_owner(self, owner: Kind, there: Manifest) -> None:
        at = there["metadata"]
        if not is_owned_by(there, owner.metadata.uid):
            if any((o["kind"], o["name"]) == (owner.KIND, owner.metadata.name) for o in at.get("ownerReferences", ())):
                raise Conflict(f"{there['kind']} {at['name']} of a deleted {owner.KIND} of this name is not gone yet")
            raise Refused(
                f"{there['kind']} {at['name']} exists in namespace {at['namespace']} and does not belong to this "
                f"{owner.KIND}; delete or rename one of the two."
            )

    async def _delete(self, owner: Kind, target: Reference) -> None:
        resource = resource_of(target.api_version, target.kind)
        try:
            await self._cluster.delete(resource, target.namespace, target.name, target.uid)
        except ApiError as error:
            if error.status not in {404, 409}:
                raise
            if target.uid:  # it was gone already, or is another one by now: the watch has missed its end
                self._cache.remove(target.uid)
            return
        self._metrics.wrote("delete", resource.plural)
        logs.of(logger, _key(owner)).info("deleted %s %s", target.kind, target.name)

    async def _store(self, stored: Manifest, obj: Kind, status: ApiModel) -> None:
        """The preconditions keep a decision on an object that has changed meanwhile from being stored."""
        wire = status.to_wire()
        if wire == _status(obj).to_wire():
            return
        at = {name: stored["metadata"][name] for name in ("name", "namespace", "uid", "resourceVersion")}
        resource = OWN[obj.KIND]
        body = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": at, "status": wire}
        try:
            self._cache.put(await self._cluster.apply(resource, body, force=True, subresource="status"))
        except ApiError as error:
            if error.status == 404:
                raise Conflict("the object is gone") from error
            raise _translated("status", error) from error
        self._metrics.wrote("apply", f"{resource.plural}/status")
        before, after = _ready(_status(obj)), _ready(status)
        if after and (before is None or (before.reason, before.message) != (after.reason, after.message)):
            level = logging.INFO if before is None or before.reason != after.reason else logging.DEBUG
            logs.of(logger, _key(obj)).log(level, "%s: %s", after.reason, after.message)

    def _tell(self, obj: Kind, status: ApiModel) -> None:
        before: list[Decision] = getattr(_status(obj), "decisions", [])
        for decision in getattr(status, "decisions", []):
            if decision not in before:
                self._metrics.decided(obj.KIND, decision.reason)
                logs.of(logger, _key(obj)).info(
                    "decision %s (%s): %s; %s", decision.reason, decision.rule, decision.observed, decision.outcome
                )

    async def _post(self, about: Manifest, event: Event) -> None:
        """The same decision on the same version of the object is the same Event, whoever tells it again."""
        at = about["metadata"]
        content = json.dumps([at["uid"], at["resourceVersion"], event.type, event.reason, event.message])
        name = f"{at['name'][:200]}.{hashlib.sha256(content.encode()).hexdigest()[:16]}"
        body = {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.kind,
            "metadata": {"name": name, "namespace": at["namespace"]},
            "eventTime": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "type": event.type,
            "reason": event.reason,
            "note": _cut(event.message, _LONGEST_NOTE),
            "action": "Reconcile",
            "reportingController": "perennial.dev/operator",
            "reportingInstance": "perennial-operator",
            "regarding": {
                "apiVersion": about["apiVersion"],
                "kind": about["kind"],
                "namespace": at["namespace"],
                "name": at["name"],
                "uid": at["uid"],
                "resourceVersion": at["resourceVersion"],
            },
        }
        try:
            await self._cluster.create(EVENT, body)
            self._metrics.wrote("create", EVENT.plural)
        except ApiError as error:
            if error.status != 409:
                logs.of(logger, key_of(about)).warning("event %s not posted: %s", event.reason, error)

    async def unreadable(self, stored: Manifest, why: str, now: datetime) -> None:
        """Says in the conditions that this operator can't read the object; what else is in the status stays.

        Under a field manager of its own: an apply under the usual one would take away all that it does not name.
        """
        message = f"This version of the operator can't read the object: {why}; correct it or update the operator."
        before = stored.get("status", {}).get("conditions", [])
        if any(c.get("type") == "Stalled" and c.get("message") == message for c in before):
            return
        at = stored["metadata"]
        states = summary(ready=False, stalled=True, reason="Unreadable", message=message)
        body = {
            "apiVersion": stored["apiVersion"],
            "kind": stored["kind"],
            "metadata": {name: at[name] for name in ("name", "namespace", "uid", "resourceVersion")},
            "status": {"conditions": [c.to_wire() for c in conditions(states, (), at.get("generation", 1), now)]},
        }
        try:
            resource = OWN[stored["kind"]]
            applied = await self._cluster.apply(
                resource, body, force=True, subresource="status", manager=UNREADABLE_FIELD_MANAGER
            )
            self._cache.put(applied)
        except ApiError as error:
            raise _translated("status", error) from error


def _refused(obj: Kind, status: ApiModel, message: str, now: datetime) -> ApiModel:
    """The status with its summary replaced by the refusal."""
    text = _cut(message, _LONGEST_MESSAGE)
    states = summary(ready=False, stalled=True, reason="ApplyRefused", message=text)
    replaced = conditions(states, _conditions(_status(obj)), obj.metadata.generation, now)
    names = {state.type for state in states}
    others = [condition for condition in _conditions(status) if condition.type not in names]
    return status.model_copy(update={"conditions": [*replaced, *others]})


def _translated(what: str, error: ApiError) -> Exception:
    if error.status == 409:
        return Conflict(f"{what}: {error}")
    if error.status not in _REFUSALS:
        return error
    return Refused(f"{what} was refused: {error.message.rstrip('.')}. {_advice(error)}")


def _advice(error: ApiError) -> str:
    if "exceeded quota" in error.message:
        return "Raise the quota of the namespace, or ask for less."
    if error.status == 403:
        return "Allow it to the operator (RBAC, admission policies), or change the spec."
    return "Correct the spec."


def _status(obj: Kind) -> ApiModel:
    status: ApiModel = obj.status  # type: ignore[attr-defined]  # each kind has one, of its own type
    return status


def _conditions(status: ApiModel) -> list[Condition]:
    found: list[Condition] = status.conditions  # type: ignore[attr-defined]  # see above
    return found


def _ready(status: ApiModel) -> Condition | None:
    return next((condition for condition in _conditions(status) if condition.type == "Ready"), None)


def _key(obj: Kind) -> Key:
    return Key(obj.KIND, obj.metadata.namespace, obj.metadata.name)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
