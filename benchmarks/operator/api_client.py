"""The API server, as the load and the measurements use it: as little as aiohttp needs."""

import asyncio
import json
import ssl
import tempfile
from base64 import b64decode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self

import aiohttp

Manifest = dict[str, Any]
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON = "application/json"
CONNECTIONS = 64
_LONGEST_LINE = 4 * 1024 * 1024


class Refused(Exception):
    """The API server said no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"HTTP {status}: {message}")
        self.status = status


class Api:
    """One connection pool; an asynchronous context manager."""

    def __init__(self, kubeconfig: Path, user_agent: str) -> None:
        document = json.loads(kubeconfig.read_text())
        self.server: str = document["clusters"][0]["cluster"]["server"]
        self._tls = _tls(document)
        self._headers = {"User-Agent": user_agent, "Accept": JSON}

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(ssl=self._tls, limit=CONNECTIONS)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
        self._http = aiohttp.ClientSession(
            self.server, connector=connector, headers=self._headers, timeout=timeout, read_bufsize=_LONGEST_LINE
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def send(self, method: str, path: str, body: bytes | None = None, content_type: str = JSON) -> bytes:
        """The answer's body; raises Refused, but waits where the server asks for that (429)."""
        headers = {"Content-Type": content_type}
        while True:
            async with self._http.request(method, path, data=body, headers=headers) as response:
                content = await response.read()
            if response.status < 400:
                return content
            if response.status != 429:
                raise Refused(response.status, content.decode(errors="replace")[:500])
            await asyncio.sleep(float(response.headers.get("Retry-After", 1)))

    async def get(self, path: str) -> Manifest:
        found: Manifest = json.loads(await self.send("GET", path))
        return found

    async def create(self, path: str, manifest: Manifest) -> Manifest:
        created: Manifest = json.loads(await self.send("POST", path, json.dumps(manifest).encode()))
        return created

    async def patch(self, path: str, manifest: Manifest, content_type: str = MERGE) -> Manifest:
        patched: Manifest = json.loads(await self.send("PATCH", path, json.dumps(manifest).encode(), content_type))
        return patched

    async def watch(self, path: str, version: str) -> AsyncIterator[Manifest]:
        """Every event after a resourceVersion, until the server ends the stream."""
        async with self._http.get(path, params={"watch": "1", "resourceVersion": version}) as response:
            response.raise_for_status()
            async for line in response.content:
                yield json.loads(line)


def _tls(document: Manifest) -> ssl.SSLContext:
    cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
    context = ssl.create_default_context(cadata=b64decode(cluster["certificate-authority-data"]).decode())
    with tempfile.NamedTemporaryFile() as file:  # ssl reads keys from files only
        file.write(b64decode(user["client-certificate-data"]) + b64decode(user["client-key-data"]))
        file.flush()
        context.load_cert_chain(file.name)
    return context
