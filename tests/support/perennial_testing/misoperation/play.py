"""Plays what a user does to an object, and looks whether the operator bears it.

Oracles, after Acto (SOSP'23): an object with a past ends as a fresh one of its last spec, when what was wrong around
it is mended; the API server refuses what breaks its schema, and what it can't refuse shows in a condition; what is
in service stays so, unless its user takes it away; all comes to rest.
"""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from perennial.decide.labels import API_VERSION
from perennial.kube.resources import APPS_DEPLOYMENT, CLAIM, CONFIG_MAP, OWN, Resource, resource_of
from perennial_testing.misoperation.cluster import Api, Manifest, Mirror, Refusal
from perennial_testing.misoperation.steps import CLAIMS, OBJECT, TEXTS, Step
from perennial_testing.misoperation.view import conditions, differences, is_ready, newest, root, view
from perennial_testing.specs.small_manifests import SMALL

QUIET, PATIENCE = 1.0, 90.0
QUOTA = Resource("v1", "ResourceQuota", "resourcequotas")
_REFUSED = (400, 422)


class Violation(Exception):
    """An oracle spoke."""


class Player:
    """One object, and what its user does."""

    def __init__(
        self, api: Api, mirror: Mirror, claims: set[tuple[str, str]], kind: str, namespace: str, name: str
    ) -> None:
        self._api, self._mirror, self._claims = api, mirror, claims
        self.kind, self.namespace, self.name = kind, namespace, name
        self._things: set[str] = set()
        self._foreign: list[tuple[Resource, str]] = []
        self._quota = False
        self.spec: Manifest | None = None
        self._excused = False
        self._wanted = True
        self.outage: str | None = None
        mirror.listen(namespace, name, self._watch_service)

    async def prepare(self) -> None:
        for thing in (*CLAIMS, TEXTS):
            await self._give(thing)

    async def play(self, steps: list[Step]) -> None:
        for step in steps:
            await self._do(step)
            if step["settle"] and self.spec is not None:
                await self.settle()
                self._check()

    async def mend(self) -> None:
        """Takes away all that stands in the object's way, but not what its spec says."""
        await self._no_foreign()
        await self._set_quota(on=False)
        await self.prepare()

    async def leave(self) -> None:
        await self._api.delete(OWN[self.kind], self.namespace, self.name)
        self._mirror.listen(self.namespace, self.name, None)
        # The garbage collector takes 20 objects a second at most: what is left to it here is what others wait for.
        children = self._mirror.of(self.namespace, self.name)
        await asyncio.gather(*(self._api.delete(resource, self.namespace, name) for resource, name in children))
        await self._no_foreign()
        await self._set_quota(on=False)
        for thing in list(self._things):
            await self._take(thing)

    # What is done

    async def _do(self, step: Step) -> None:
        match step["do"]:
            case "apply":
                await self.apply(step["spec"])
            case "refuse":
                await self._apply_refused(step)
            case "replace":
                await self._replace(step)
            case "child":
                await self._change_child(step)
            case "take":
                await self._take(step["thing"])
            case "give":
                await self._give(step["thing"])
            case "foreign":
                if self.spec is None:
                    await self._take_name(step["child"])
            case "no foreign":
                await self._no_foreign()
            case "quota":
                await self._set_quota(step["on"])

    async def apply(self, spec: Manifest) -> None:
        try:
            await self._api.set_spec(OWN[self.kind], self._manifest(spec))
        except Refusal as refusal:
            if self.kind == "TrainingJob" and self.spec is not None and refusal.status in _REFUSED:
                return  # it is immutable
            raise Violation(f"a good spec was refused: {refusal}") from refusal
        self.spec = spec

    async def _apply_refused(self, step: Step) -> None:
        try:
            await self._api.set_spec(OWN[self.kind], self._manifest(step["spec"]))
        except Refusal as refusal:
            if refusal.status not in _REFUSED:
                raise Violation(f"{step['what']}: refused, but by {refusal}") from refusal
            return
        raise Violation(f"the API server accepted a spec that breaks the {step['what']}")

    async def _replace(self, step: Step) -> None:
        self._excused = True
        await self._api.delete(OWN[self.kind], self.namespace, self.name)
        await self._until(lambda: not self._object(), "the object goes")
        self.spec = None
        if step["foreign"]:
            await self._no_foreign()
            await self._until(lambda: not self._mirror.of(self.namespace, self.name), "all of it goes")
            await self._take_name(step["foreign"])
        await self.apply(step["spec"])

    async def _change_child(self, step: Step) -> None:
        api_version, kind = step["child"].split()
        resource = resource_of(api_version, kind)
        name = {"ConfigMap": f"{self.name}-config"}.get(kind, self.name)
        if kind == "TrainingJob":
            name = newest(self._object()).get("trainingJob", name)
        if not self._mirror.get(resource, self.namespace, name):
            return
        edit = step["edit"]
        # Without its label it is gone for who watches, but its pods are not.
        self._excused |= edit is None or "metadata" in edit or edit["spec"].get("replicas") == 0
        if edit is None:
            await self._api.delete(resource, self.namespace, name)
        else:
            await self._api.merge(resource, self.namespace, name, edit)

    async def _take(self, thing: str) -> None:
        resource, name = _thing(thing), self._own(thing)
        self._things.discard(thing)
        self._claims.discard((self.namespace, name))
        await self._api.delete(resource, self.namespace, name)
        if resource == CLAIM:  # else it stays for as long as its controller needs to look through all pods
            await self._api.merge(resource, self.namespace, name, {"metadata": {"finalizers": None}})

    async def _give(self, thing: str) -> None:
        if thing in self._things:
            return
        resource, name = _thing(thing), self._own(thing)
        head = {"apiVersion": "v1", "kind": resource.kind, "metadata": {"name": name, "namespace": self.namespace}}
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        await self._create(resource, head | ({"spec": spec} if resource == CLAIM else {"data": {"a.txt": "text"}}))
        self._things.add(thing)
        self._claims.add((self.namespace, name))

    async def _create(self, resource: Resource, manifest: Manifest) -> None:
        """Waits until the one of this name before it is gone."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                await self._api.create(resource, manifest)
                return
            except Refusal as refusal:
                if refusal.status != 409 or time.monotonic() > end:
                    raise
            await asyncio.sleep(0.2)

    async def _take_name(self, child: str) -> None:
        """Someone else's object has the name of a child."""
        api_version, kind = child.split()
        name = {"ConfigMap": f"{self.name}-config", "TrainingJob": f"{self.name}-v1"}.get(kind, self.name)
        at = {"name": name, "namespace": self.namespace}
        resource = resource_of(api_version, kind)
        if (resource, name) in self._foreign:
            return
        try:
            await self._create(resource, {"apiVersion": api_version, "kind": kind, "metadata": at} | _others(child))
        except Refusal as refusal:
            if refusal.status == 403 and self._quota:
                return  # it holds for others too
            raise
        self._foreign.append((resource, name))

    async def _no_foreign(self) -> None:
        self._excused |= bool(self._foreign)
        while self._foreign:
            resource, name = self._foreign.pop()
            await self._api.delete(resource, self.namespace, name)

    async def _set_quota(self, on: bool) -> None:
        if on == self._quota:
            return
        self._quota = on
        if on:
            hard = {"count/jobs.batch": "0", "count/deployments.apps": "0", "pods": "0"}
            at = {"name": "none", "namespace": self.namespace}
            await self._create(
                QUOTA, {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": at, "spec": {"hard": hard}}
            )
            await asyncio.sleep(QUIET)  # until it counts
        else:
            await self._api.delete(QUOTA, self.namespace, "none")

    # What is seen

    async def settle(self) -> None:
        """Until the object was looked at and nothing more happens to it."""
        await self._until(self._is_at_rest, "all comes to rest")
        if self.outage:
            raise Violation(self.outage)

    async def until_ready(self) -> None:
        await self._until(lambda: is_ready(self._object()), "it is in service")

    def _is_at_rest(self) -> bool:
        manifest = self._object()
        generation = manifest.get("metadata", {}).get("generation")
        seen = manifest.get("status", {}).get("observedGeneration") == generation
        return bool(manifest) and seen and self._mirror.quiet_for(self.namespace, self.name) > QUIET

    def _check(self) -> None:
        """Whatever is wrong, the conditions say so."""
        manifest = self._object()
        told = conditions(manifest)
        missing = {"Ready", "Reconciling", "Stalled"} - told.keys()
        if missing:
            raise Violation(f"there are no conditions {missing}")
        if any(not c["reason"] or not c["message"] for c in told.values()):
            raise Violation(f"a condition gives no reason: {told}")
        if told["Ready"]["reason"] == "Unreadable":
            raise Violation(f"the operator can't read what the API server accepts: {told['Ready']['message']}")
        waits = told.get("Suspended", {}).get("status") == "True" or told["Ready"]["reason"] == "AwaitingApproval"
        if not waits and all(told[type_]["status"] == "False" for type_ in ("Ready", "Reconciling", "Stalled")):
            raise Violation(f"it is neither ready, nor worked on, nor stalled: {told}")

    def _watch_service(self, resource: Resource, type_: str, manifest: Manifest, before: Manifest | None) -> None:
        at = manifest["metadata"]
        if resource != APPS_DEPLOYMENT or (at["namespace"], at["name"]) != (self.namespace, self.name):
            return
        was = (before or {}).get("status", {}).get("availableReplicas", 0)
        now = 0 if type_ == "DELETED" else manifest.get("status", {}).get("availableReplicas", 0)
        # Pods may still be on their way out when the next spec wants some again.
        self._wanted = bool(manifest["spec"]["replicas"]) and (self._wanted or now > was)
        if was and not now and self._wanted and not self._excused:
            self.outage = f"an outage of what is served: {type_.lower()}, {was} available before"

    def _object(self) -> Manifest:
        return root(self._mirror, self.kind, self.namespace, self.name)

    def has_ended(self) -> bool:
        return self._object().get("status", {}).get("state") in ("Complete", "Failed")

    def view(self) -> dict[str, Any]:
        return view(self._mirror, self.kind, self.namespace, self.name)

    async def _until(self, done: Callable[[], object], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not done():
            if time.monotonic() > end:
                raise Violation(f"{what}: not within {PATIENCE:.0f} s; {self._object().get('status')}")
            await asyncio.sleep(0.1)

    # Names

    def _own(self, text: str) -> str:
        return text.replace(OBJECT, self.name)

    def _manifest(self, spec: Manifest) -> Manifest:
        at = {"name": self.name, "namespace": self.namespace}
        own = json.loads(self._own(json.dumps(spec)))
        return {"apiVersion": API_VERSION, "kind": self.kind, "metadata": at, "spec": own}


def _thing(thing: str) -> Resource:
    return CONFIG_MAP if thing == TEXTS else CLAIM


def _others(child: str) -> Manifest:
    """What someone else might have under the name of a child."""
    labels = {"app": "another"}
    container = {"name": "a", "image": "registry.example/a:1"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [container], "restartPolicy": "Never"}}
    serving = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "v1 ConfigMap": {"data": {"a": "another's"}},
        "v1 Service": {"spec": {"ports": [{"port": 1}]}},
        "policy/v1 PodDisruptionBudget": {"spec": {"selector": {"matchLabels": labels}}},
        "batch/v1 Job": {"spec": {"template": pod}},
        "apps/v1 Deployment": {"spec": {"selector": {"matchLabels": labels}, "template": serving}},
        f"{API_VERSION} TrainingJob": {"spec": SMALL["TrainingJob"]},
        f"{API_VERSION} Deployment": {"spec": SMALL["Deployment"]},
    }[child]


async def judge(played: Player, fresh: Player) -> None:
    """Raises Violation unless the object with a past has become as a fresh one."""
    assert played.spec is not None
    await played.mend()
    await played.settle()
    await fresh.prepare()
    await fresh.apply(played.spec)
    await fresh.settle()
    end = time.monotonic() + PATIENCE
    while different := differences(played.view(), fresh.view()):
        if played.has_ended() and fresh.spec and fresh.spec.get("suspend"):
            await fresh.apply(fresh.spec | {"suspend": False})  # too late to suspend the other
        if time.monotonic() > end:
            raise Violation("it does not end as a fresh object does:\n" + "\n".join(different))
        await asyncio.sleep(0.3)
    await asyncio.gather(played.settle(), fresh.settle())
    for player in (played, fresh):
        player._check()
