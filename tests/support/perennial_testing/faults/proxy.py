"""Stands as the API server in the operator's kubeconfig, and disturbs what passes.

Real TLS on both sides. A rule looks at each request and may name a fault; watches can be held, silenced and cut.
"""

import asyncio
import base64
import json
import ssl
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web

from perennial_testing.cluster.control_plane import ControlPlane

WRITES = {"POST", "PUT", "PATCH", "DELETE"}
_HOP = {"host", "authorization", "connection", "transfer-encoding", "content-length", "content-encoding"}
_LONGEST_BODY = 16 * 1024 * 1024


@dataclass(frozen=True)
class Request:
    """What the operator asks; writes are counted from 1, those to a Lease are not."""

    method: str
    path: str
    query: dict[str, str]
    number: int

    @property
    def is_write(self) -> bool:
        return self.method in WRITES and "/leases" not in self.path

    @property
    def is_watch(self) -> bool:
        return self.query.get("watch") in ("true", "1")

    @property
    def is_list(self) -> bool:
        return self.method == "GET" and not self.is_watch and self.path.rsplit("/", 1)[-1] in _PLURALS

    def __str__(self) -> str:
        return f"{self.method} {self.path.partition('/namespaces/')[2].partition('/')[2] or self.path}"


_PLURALS = {
    "languagemodels", "trainingjobs", "deployments", "pods", "configmaps", "jobs", "services", "poddisruptionbudgets",
    "networkpolicies",
}  # fmt: skip


@dataclass(frozen=True)
class Kill:
    """The operator dies by SIGKILL as the request arrives, which then takes effect or not; then it is restarted."""

    takes_effect: bool


@dataclass(frozen=True)
class LoseReply:
    """The request takes effect, and the connection breaks before the answer."""


@dataclass(frozen=True)
class Unreachable:
    """The connection breaks, and the request does not reach the API server."""


@dataclass(frozen=True)
class Answer:
    """The API server refuses; the request does not reach it."""

    status: int
    reason: str
    retry_after: int | None = None


@dataclass(frozen=True)
class Delay:
    """The request waits for so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Stale:
    """A list shows the cluster as it was at this resourceVersion (kept by etcd for five minutes)."""

    resource_version: str


Fault = Kill | LoseReply | Unreachable | Answer | Delay | Stale
Rule = Callable[[Request], Fault | None]


def no_fault(_: Request) -> None:
    """The rule of an undisturbed run."""


class Proxy:
    """Serves until the block ends. `rule` may be changed at any time; a Kill calls `kill` and `restart`."""

    def __init__(self, control_plane: ControlPlane, folder: Path) -> None:
        self._folder = folder
        self._upstream, self._credentials = _access(control_plane.kubeconfig, folder)
        self.control_plane = ControlPlane(str(folder / "kubeconfig"), control_plane.kubectl_path)
        self.rule: Rule = no_fault
        self.kill: Callable[[], object] = lambda: None
        self.restart: Callable[[], object] = lambda: None
        self.requests: list[Request] = []
        self.faults: list[tuple[Request, Fault]] = []
        self._writes = 0
        self._flows = asyncio.Event()
        self._silent = False
        self._streams: set[asyncio.Task[Any]] = set()
        self._gone: set[asyncio.Task[Any]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> "Proxy":
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(30)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)

    @property
    def writes(self) -> list[Request]:
        """The writes so far, in the order of their arrival."""
        return [request for request in self.requests if request.is_write]

    def hold_watches(self) -> None:
        """Keeps back what happens from now on, until release_watches()."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def release_watches(self) -> None:
        """Lets through what was kept back, and what comes."""
        self._loop.call_soon_threadsafe(self._flows.set)

    def silence_watches(self) -> None:
        """Lets the streams that are open stay so, and bring nothing ever again; new ones work."""
        self._call(self._silence)

    def cut_watches(self, *, gone: bool = False) -> None:
        """Breaks off the open streams; `gone`: with 410, as after a compaction."""
        self._call(self._cut, gone)

    def _call(self, function: Callable[..., None], *arguments: Any) -> None:
        async def called() -> None:
            function(*arguments)

        asyncio.run_coroutine_threadsafe(called(), self._loop).result(10)

    def _silence(self) -> None:
        self._silenced |= self._streams

    def _cut(self, gone: bool) -> None:
        if gone:
            self._gone |= self._streams
        for stream in self._streams - self._silenced:
            stream.cancel()

    async def _start(self) -> None:
        self._flows.set()
        self._silenced: set[asyncio.Task[Any]] = set()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._credentials),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
        )
        application = web.Application(client_max_size=_LONGEST_BODY)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=_certificate(self._folder))
        await site.start()
        port = self._runner.addresses[0][1]
        (self._folder / "kubeconfig").write_text(_kubeconfig(port, self._folder / "proxy.crt"))

    async def _stop(self) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _handle(self, incoming: web.Request) -> web.StreamResponse:
        try:
            return await self._answer(incoming)
        except ConnectionError:  # the operator has gone
            return _broken(incoming)

    async def _answer(self, incoming: web.Request) -> web.StreamResponse:
        request = self._noted(incoming)
        fault = self.rule(request)
        if fault:
            self.faults.append((request, fault))
        body = await incoming.read()
        match fault:
            case Kill(takes_effect):
                # Shielded, as the death of the operator breaks the connection, and with it this handler.
                await asyncio.shield(self._die(incoming, body, request.query if takes_effect else None))
                return _broken(incoming)
            case LoseReply():
                await self._forward(incoming, body, request.query)
                return _broken(incoming)
            case Unreachable():
                return _broken(incoming)
            case Answer():
                return _refusal(fault)
            case Delay(seconds):
                await asyncio.sleep(seconds)
            case Stale(resource_version):
                query = request.query | {"resourceVersion": resource_version, "resourceVersionMatch": "Exact"}
                return await self._forward(incoming, body, query)
        if request.is_watch:
            return await self._stream(incoming)
        return await self._forward(incoming, body, request.query)

    async def _die(self, incoming: web.Request, body: bytes, query: dict[str, str] | None) -> None:
        self.kill()
        if query is not None:
            await self._forward(incoming, body, query)
        self.restart()

    def _noted(self, incoming: web.Request) -> Request:
        request = Request(incoming.method, incoming.path, dict(incoming.query), self._writes + 1)
        self._writes += request.is_write
        self.requests.append(request)
        return request

    def _send(self, incoming: web.Request, body: bytes, query: dict[str, str]) -> Any:
        headers = {name: value for name, value in incoming.headers.items() if name.lower() not in _HOP}
        url = self._upstream + incoming.path
        return self._session.request(incoming.method, url, params=query, headers=headers, data=body or None)

    async def _forward(self, incoming: web.Request, body: bytes, query: dict[str, str]) -> web.Response:
        async with self._send(incoming, body, query) as answer:
            headers = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP}
            if encoding := answer.headers.get("Content-Encoding"):
                headers["Content-Encoding"] = encoding
            return web.Response(status=answer.status, headers=headers, body=await answer.read())

    async def _stream(self, incoming: web.Request) -> web.StreamResponse:
        outgoing = web.StreamResponse(headers={"Content-Type": "application/json"})
        task = asyncio.current_task()
        assert task
        async with self._send(incoming, b"", dict(incoming.query)) as answer:
            if answer.status != 200:
                return web.Response(status=answer.status, body=await answer.read(), content_type="application/json")
            await outgoing.prepare(incoming)
            self._streams.add(task)
            try:
                async for chunk in answer.content.iter_any():
                    await self._flows.wait()
                    if task not in self._silenced:
                        await outgoing.write(chunk)
            except asyncio.CancelledError:
                await self._end(task, outgoing, incoming)
            finally:
                for tasks in (self._streams, self._silenced, self._gone):
                    tasks.discard(task)
        return outgoing

    async def _end(self, task: "asyncio.Task[Any]", outgoing: web.StreamResponse, incoming: web.Request) -> None:
        if incoming.transport is None or incoming.transport.is_closing():
            raise asyncio.CancelledError
        task.uncancel()
        if task in self._gone:
            status = {"kind": "Status", "apiVersion": "v1", "code": 410, "reason": "Expired", "message": "too old"}
            with suppress(ConnectionError):
                await outgoing.write(json.dumps({"type": "ERROR", "object": status}).encode() + b"\n")
                await outgoing.write_eof()
        else:
            _broken(incoming)


def _broken(incoming: web.Request) -> web.Response:
    if incoming.transport:
        incoming.transport.abort()
    return web.Response(status=500)


def _refusal(fault: Answer) -> web.Response:
    status = {
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": fault.status, "reason": fault.reason,
        "message": f"the test says {fault.reason}",
    }  # fmt: skip
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    return web.json_response(status, status=fault.status, headers=headers)


def _access(kubeconfig: str, folder: Path) -> tuple[str, ssl.SSLContext]:
    """The address of the API server and the TLS that it accepts, of a kubeconfig with a client certificate."""
    given = yaml.safe_load(Path(kubeconfig).read_text())
    cluster, user = given["clusters"][0]["cluster"], given["users"][0]["user"]
    context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    for name in ("client-certificate", "client-key"):
        (folder / name).write_bytes(base64.b64decode(user[f"{name}-data"]))
    context.load_cert_chain(folder / "client-certificate", folder / "client-key")
    return cluster["server"], context


def _certificate(folder: Path) -> ssl.SSLContext:
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=proxy"
        " -addext subjectAltName=IP:127.0.0.1 -keyout proxy.key -out proxy.crt"
    )
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "proxy.crt", folder / "proxy.key")
    return context


def _kubeconfig(port: int, authority: Path) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "proxy",
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
            "clusters": [
                {
                    "name": "proxy",
                    "cluster": {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(authority)},
                }
            ],
            "users": [{"name": "proxy", "user": {"token": "of-the-proxy"}}],
        }
    )
