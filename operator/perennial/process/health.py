"""Endpoints for the kubelet and Prometheus: /healthz, /readyz, /metrics."""

import time

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from perennial_contract.pod import METRICS_PATH

LONGEST_SILENCE = 60.0
LONGEST_START = 300.0


class Health:
    """Liveness of this replica: a standby lives while it responds, a leader while events reach it."""

    def __init__(self) -> None:
        self._leading_since: float | None = None
        self._last_beat: float | None = None
        self.waits_for: str | None = "the kinds of perennial.dev have not been looked for"
        self.sees_lease = True
        self.behind: str | None = None

    def leads(self) -> None:
        """This replica has become the leader."""
        self._leading_since = time.monotonic()

    def beat(self) -> None:
        """The watch has delivered a renewal of our own Lease, which happens every other second."""
        self._last_beat = time.monotonic()

    def compared(self, missed: str | None) -> None:
        """Reports a comparison of cache and server: what the watch has missed, if anything."""
        self.behind = missed

    def unreadiness(self) -> str | None:
        """Why this replica is not ready, if it isn't: each needs the CRDs, and a leader a complete cache."""
        if self.waits_for or self._leading_since is None or not self.sees_lease or self._last_beat is not None:
            return self.waits_for
        return "the first list is not complete"

    def trouble(self) -> str | None:
        """Why this replica needs a restart, if it does."""
        if self.behind:
            return self.behind
        if self._leading_since is None or not self.sees_lease:
            return None
        if self._last_beat is None:
            late = time.monotonic() - self._leading_since > LONGEST_START
            return f"the first list takes more than {LONGEST_START:.0f} s" if late else None
        silence = time.monotonic() - self._last_beat
        return f"no event for {silence:.0f} s" if silence > LONGEST_SILENCE else None


class Server:
    """The HTTP server."""

    def __init__(self, health: Health, registry: CollectorRegistry, port: int) -> None:
        self._health = health
        self._registry = registry
        self._port = port
        routes = web.Application()
        routes.router.add_get("/healthz", self._healthz)
        routes.router.add_get("/readyz", self._readyz)
        routes.router.add_get(METRICS_PATH, self._metrics)
        self._runner = web.AppRunner(routes, access_log=None, shutdown_timeout=1)

    async def start(self) -> None:
        """Listens on all addresses, as the kubelet connects from outside; raises OSError if the port is in use."""
        await self._runner.setup()
        await web.TCPSite(self._runner, port=self._port).start()

    async def stop(self) -> None:
        """Completes running responses and closes."""
        await self._runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        return _response(self._health.trouble())

    async def _readyz(self, _: web.Request) -> web.Response:
        return _response(self._health.unreadiness())

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _response(problem: str | None) -> web.Response:
    return web.Response(text=problem or "ok", status=503 if problem else 200)
