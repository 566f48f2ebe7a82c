"""The cluster under misoperation: requests side by side over kept connections, and a mirror of what is there."""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Self

import aiohttp
from kubernetes import client, config

from perennial.kube.resources import WATCHED, Resource
from perennial.kube.watch import selector_of

Manifest = dict[str, Any]
Name = tuple[Resource, str, str]
_PATCH, _MERGE, _JSON = "application/json-patch+json", "application/merge-patch+json", "application/json"
_HOURS = 12 * 3600
_ATTEMPTS = 10


class Refusal(Exception):
    """The API server refused."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Api:
    """A user, or the nodes, of a cluster."""

    def __init__(self, kubeconfig: str) -> None:
        access = client.Configuration()
        config.load_kube_config(kubeconfig, client_configuration=access)
        self._host = access.host
        self._tls = ssl.create_default_context(cafile=access.ssl_ca_cert)
        self._tls.load_cert_chain(access.cert_file, access.key_file)

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=0, ssl=self._tls)
        self._session = aiohttp.ClientSession(self._host, connector=connector, timeout=aiohttp.ClientTimeout(total=60))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def set_spec(self, resource: Resource, manifest: Manifest) -> Manifest:
        """Creates the object, or replaces its spec.

        Not by an apply: a map whose entries an apply takes away becomes a null, which the API server itself refuses.
        """
        at = manifest["metadata"]
        patch = [{"op": "replace", "path": "/spec", "value": manifest["spec"]}]
        strict = {"fieldValidation": "Strict"}
        try:
            return await self._request("PATCH", resource.path(at["namespace"], at["name"]), patch, _PATCH, strict)
        except Refusal as refusal:
            if refusal.status != 404:
                raise
        return await self._request("POST", resource.path(at["namespace"]), manifest, _JSON, strict)

    async def create(self, resource: Resource, manifest: Manifest) -> Manifest:
        return await self._request("POST", resource.path(manifest["metadata"]["namespace"]), manifest)

    async def merge(self, resource: Resource, namespace: str, name: str, patch: Manifest, part: str = "") -> Manifest:
        """As `kubectl patch --type merge`; what is gone or in another's hands by now is left alone."""
        try:
            return await self._request("PATCH", resource.path(namespace, name, part), patch, _MERGE)
        except Refusal as refusal:
            if refusal.status in (404, 409):
                return {}
            raise

    async def delete(self, resource: Resource, namespace: str, name: str) -> None:
        """As `kubectl delete`: the garbage collector takes the children later."""
        try:
            await self._request("DELETE", resource.path(namespace, name), {"propagationPolicy": "Background"})
        except Refusal as refusal:
            if refusal.status != 404:
                raise

    async def _request(
        self, method: str, path: str, body: Any, content_type: str = _JSON, query: dict[str, str] | None = None
    ) -> Manifest:
        headers = {"Content-Type": content_type}
        async with self._session.request(method, path, json=body, headers=headers, params=query) as answer:
            found: Manifest = await answer.json()
        if answer.status >= 400:
            raise Refusal(answer.status, found.get("message", ""))
        return found

    async def watch(self, resource: Resource) -> AsyncIterator[tuple[str, Manifest]]:
        """What is there and what changes, until the server ends it."""
        query = {
            "watch": "true", "sendInitialEvents": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(_HOURS),
            "resourceVersionMatch": "NotOlderThan", "labelSelector": selector_of(resource),
        }  # fmt: skip
        limits = aiohttp.ClientTimeout(total=None)
        async with self._session.get(resource.path(None), params=query, timeout=limits) as answer:
            if answer.status >= 400:
                raise Refusal(answer.status, await answer.text())
            rest = b""
            async for chunk in answer.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    event = json.loads(line)
                    yield event["type"], event["object"]


Listener = Callable[[Resource, str, Manifest, Manifest | None], None]


class Mirror:
    """What is there, of each watched resource; when something last changed for the object of a root name.

    All that is made for an object bears its name or begins with it and a dash, so that objects whose names hold
    no dash tell what is whose.
    """

    def __init__(self, api: Api, namespaces: list[str]) -> None:
        self._api = api
        self._namespaces = set(namespaces)
        self._touched: dict[tuple[str, str], float] = {}
        self._listeners: dict[tuple[str, str], Listener] = {}
        self.objects: dict[Name, Manifest] = {}

    def listen(self, namespace: str, root: str, listener: Listener | None) -> None:
        """Calls it with each event for a root name: resource, type, the object and what was known of it."""
        if listener:
            self._listeners[namespace, root] = listener
        else:
            self._listeners.pop((namespace, root), None)

    async def run(self) -> None:
        await asyncio.gather(*map(self._follow, WATCHED))

    async def _follow(self, resource: Resource) -> None:
        for attempt in range(_ATTEMPTS):
            try:
                await self._follow_once(resource)
            except Refusal as refusal:  # a busy API server asks for a moment
                if refusal.status != 429 or attempt == _ATTEMPTS - 1:
                    raise
            await asyncio.sleep(1)

    async def _follow_once(self, resource: Resource) -> None:
        async for type_, manifest in self._api.watch(resource):
            if type_ == "ERROR":
                raise RuntimeError(f"the watch of {resource.plural} broke: {manifest}")
            if type_ != "BOOKMARK" and manifest["metadata"]["namespace"] in self._namespaces:
                self._note(resource, type_, manifest)
        raise RuntimeError(f"the watch of {resource.plural} ended")

    def _note(self, resource: Resource, type_: str, manifest: Manifest) -> None:
        at = manifest["metadata"]
        name = (resource, at["namespace"], at["name"])
        before = self.objects.pop(name, None)
        if type_ != "DELETED":
            self.objects[name] = manifest
        root = at["namespace"], root_of(at["name"])
        self._touched[root] = time.monotonic()
        if listener := self._listeners.get(root):
            listener(resource, type_, manifest, before)

    def get(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        return self.objects.get((resource, namespace, name))

    def of(self, namespace: str, root: str) -> dict[tuple[Resource, str], Manifest]:
        """All that is there for a root name, by resource and name."""
        return {
            (resource, name): manifest
            for (resource, there, name), manifest in list(self.objects.items())
            if there == namespace and root_of(name) == root
        }

    def all(self, resource: Resource) -> list[Manifest]:
        return [manifest for (kind, _, _), manifest in list(self.objects.items()) if kind == resource]

    def quiet_for(self, namespace: str, root: str) -> float:
        """Seconds since the last change; infinite if there was none."""
        return time.monotonic() - self._touched.get((namespace, root), float("-inf"))


def root_of(name: str) -> str:
    return name.partition("-")[0]
