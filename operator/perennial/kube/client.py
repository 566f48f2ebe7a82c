"""The client of the API server: bounded connections, a time limit on each request, retries while it is busy."""

import asyncio
import json
import os
import random
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

from perennial.decide.labels import FIELD_MANAGER
from perennial.decide.outcome import Manifest
from perennial.kube.proxy import proxy_to
from perennial.kube.resources import POD, Resource, Sighting

_TIMEOUT = aiohttp.ClientTimeout(total=20, sock_connect=5)
_ATTEMPTS = 4
_LONGEST_WAIT = 10.0
_CONNECTIONS = 32
_PAGE = 500
_APPLY = "application/apply-patch+yaml; charset=utf-8"
_JSON = "application/json"
_METADATA = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"


class ApiError(Exception):
    """An error response of the API server; status 0 if it is unreachable."""

    def __init__(self, status: int, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after = retry_after

    @property
    def is_temporary(self) -> bool:
        """Whether a retry of the same request may succeed."""
        return self.status in {0, 429, 500, 502, 503, 504}


async def load_configuration() -> Configuration:
    """Configuration of the pod, else of the kubeconfig; raises ConfigException without either."""
    configuration = Configuration()
    configuration.connection_pool_maxsize = _CONNECTIONS
    try:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except config.ConfigException:
        kubeconfig = os.environ.get("KUBECONFIG")  # the library itself reads it only once, at its import
        load = config.load_kube_config(kubeconfig, client_configuration=configuration, persist_config=False)  # type: ignore[no-untyped-call]
        await load
    configuration.proxy = configuration.proxy or proxy_to(configuration.host)
    # The environment's proxy is read once: aiohttp would read it before each request, in another thread.
    configuration.client_session_kwargs = {"trust_env": False}
    return configuration


class Cluster:
    """Requests with manifests. Every request is repeatable: applies, deletes and creates with a name.

    Each write requires may_write() at that moment: a process that was frozen continues in the middle of its work.
    requested is called with the method, the status code (0: no response) and the seconds of each request.
    """

    def __init__(
        self, client: ApiClient, may_write: Callable[[], bool], requested: Callable[[str, int, float], None]
    ) -> None:
        self._client = client
        self._may_write = may_write
        self._requested = requested

    async def get(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        """The object, or None if it does not exist."""
        try:
            return await self._manifest("GET", resource.path(namespace, name))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def items(
        self, resource: Resource, namespace: str | None, selector: str = "", *, fields: str = "", accept: str = _JSON
    ) -> AsyncIterator[Manifest]:
        """The objects with these labels and fields; without a namespace those of all namespaces."""
        kind = {"apiVersion": resource.api_version, "kind": resource.kind}
        query = {"labelSelector": selector, "limit": str(_PAGE)} | ({"fieldSelector": fields} if fields else {})
        while True:
            page = await self._manifest("GET", resource.path(namespace), query, accept=accept)
            for item in page["items"] or ():
                yield kind | item
            if not (token := page["metadata"].get("continue")):
                return
            query["continue"] = token

    async def sightings(self, resource: Resource, namespace: str | None, selector: str) -> list[Sighting]:
        """The present versions of the objects with these labels."""
        items = self.items(resource, namespace, selector, accept=_METADATA)
        return [Sighting.of(item["metadata"]) async for item in items]

    async def apply(
        self, resource: Resource, manifest: Manifest, *, force: bool, subresource: str | None = None,
        manager: str = FIELD_MANAGER,
    ) -> Manifest:  # fmt: skip
        """Server-side apply; returns the stored object."""
        at = manifest["metadata"]
        path = resource.path(at["namespace"], at["name"], subresource)
        query = {"fieldManager": manager, "force": "true" if force else "false"}
        return await self._manifest("PATCH", path, query, as_yaml(manifest), content_type=_APPLY)

    async def create(self, resource: Resource, manifest: Manifest) -> None:
        """Creates the object; 409 if the name exists."""
        path = resource.path(manifest["metadata"]["namespace"])
        await self._manifest("POST", path, {"fieldManager": FIELD_MANAGER}, manifest)

    async def delete(self, resource: Resource, namespace: str, name: str, uid: str | None) -> None:
        """Deletes the object after its children; with a uid only this very object (else 409).

        So no pod of a deleted TrainingJob can still write.
        """
        body: Manifest = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Foreground"}
        if uid:
            body["preconditions"] = {"uid": uid}
        await self._manifest("DELETE", resource.path(namespace, name), body=body)

    async def log_tail(self, namespace: str, pod: str, container: str, lines: int, limit: int) -> str:
        """The last lines of a container's log, at most `limit` bytes."""
        path = POD.path(namespace, pod, "log")
        options = {"container": container, "tailLines": str(lines), "limitBytes": str(limit)}
        raw = await self._request("GET", path, options, accept="*/*")
        return raw.decode(errors="replace")

    async def serves(self, api_version: str) -> set[str]:
        """The plurals of this group and version; empty if the API server has no such group."""
        try:
            resources = await self._manifest("GET", f"/apis/{api_version}")
        except ApiError as error:
            if error.status == 404:
                return set()
            raise
        return {resource["name"] for resource in resources["resources"]}

    async def _manifest(self, method: str, path: str, query: Mapping[str, str] | None = None, *args: Any,
                        **options: Any) -> Manifest:  # fmt: skip
        response = json.loads(await self._request(method, path, query, *args, **options))
        return response if isinstance(response, dict) else {}

    async def _request(self, method: str, path: str, query: Mapping[str, str] | None = None,
                       body: Manifest | str | None = None, *, accept: str = _JSON, content_type: str = _JSON
                       ) -> bytes:  # fmt: skip
        headers = {"Accept": accept, "Content-Type": content_type}
        for attempt in range(_ATTEMPTS):
            try:
                return await self._send(method, f"{path}?{urlencode(query)}" if query else path, headers, body)
            except ApiError as error:
                if not error.is_temporary or attempt == _ATTEMPTS - 1:
                    raise
                wait = max(error.retry_after or 0, 0.1 * 2**attempt)
                await asyncio.sleep(min(_LONGEST_WAIT, wait) * random.uniform(1, 1.5))
        raise AssertionError("unreachable")

    async def _send(self, method: str, path: str, headers: dict[str, str], body: Manifest | str | None) -> bytes:
        if method != "GET" and not self._may_write():
            raise ApiError(0, "The leader Lease has expired; refusing to write")
        started, status = time.monotonic(), 0
        try:
            # Not param_serialize(), which copies every body in search of the library's models.
            url, headers = self._client.configuration.host + path, headers | await self._identity()
            sent = self._client.rest_client.request(  # type: ignore[no-untyped-call]
                method, url, headers, body, _request_timeout=_TIMEOUT
            )
            response = await sent
            content: bytes = await response.read()
            status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiError(0, f"The API server can't be reached: {error or type(error).__name__}") from error
        finally:
            self._requested(method, status, time.monotonic() - started)
        if response.status >= 400:
            raise ApiError(response.status, _reason(content, response), _retry_after(response))
        return content

    async def _identity(self) -> dict[str, str]:
        """The authorization header; an expired token is read again."""
        token = await self._client.configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        return self._client.default_headers | ({"Authorization": token} if token else {})


def as_yaml(manifest: Manifest) -> str:
    """JSON that is valid YAML, as the body of an apply must be: YAML has no escaped surrogate pairs."""
    return re.sub(r"\\ud[89ab]..\\ud[c-f]..", lambda pair: str(json.loads(f'"{pair[0]}"')), json.dumps(manifest))


def _reason(content: bytes, response: Any) -> str:
    try:
        return str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {response.status} {response.reason}"


def _retry_after(response: Any) -> float | None:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdigit() else None
