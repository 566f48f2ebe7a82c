"""One measurement: a fresh control plane, a system, a number of objects."""

import asyncio
import contextlib
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import fresh_control_plane
from api_client import Api
from audit_log import AuditLog
from fresh_control_plane import ControlPlane
from measured_process import Process
from measured_system import System
from percentiles import percentile
from perennial_operator import Perennial
from timeline import Clock, Timeline

CONCURRENCY = 16
IDLE_SECONDS = 40.0  # the operator compares its cache with the server 30 s after its start, then every 5 min
QUIET_SECONDS = 10.0
LONGEST_UNREST_SECONDS = 180.0
PAUSE_SECONDS = 15.0  # in which the Job controller makes pods whose change can be watched
LONGEST_CONVERGENCE_SECONDS = 900.0
SECOND_WAVE = 1000
CHANGES = 100
CHANGE_PERIOD = 0.25
LONGEST_CHANGE_SECONDS = 30.0
USER_AGENT = "bench-load"


@dataclass
class Run:
    """One line of the results. None: the system has no such thing."""

    system: str
    version: str
    objects: int
    objects_per_second: float = 0
    p50_first_status_s: float | None = None
    p99_first_status_s: float | None = None
    p50_first_child_s: float | None = None
    p99_first_child_s: float | None = None
    p50_child_to_status_s: float | None = None
    p99_child_to_status_s: float | None = None
    child_changes: int = 0
    requests_per_object: float = 0
    writes_per_object: float = 0
    cpu_s: float | None = None
    rss_bytes: int | None = None
    idle_writes: int | None = None
    restart_s: float | None = None
    restart_writes: int | None = None
    restart_objects: int | None = None
    restart_rss_bytes: int | None = None
    machine: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {name: round(v, 3) if isinstance(v, float) else v for name, v in asdict(self).items()}


async def measure(system: System, objects: int) -> Run:
    """Brings up what is needed, measures, and takes it down."""
    with fresh_control_plane.fresh() as plane:
        async with Api(plane.kubeconfig, USER_AGENT) as api:
            await system.prepare(api, plane)
            return await _Measurement(system, objects, plane, api).run()


class _Measurement:
    def __init__(self, system: System, objects: int, plane: ControlPlane, api: Api) -> None:
        self._system, self._objects, self._plane, self._api = system, objects, plane, api
        self._run = Run(system.name, system.version, objects)
        self._audit = AuditLog(plane.audit_log)

    async def run(self) -> Run:
        system = self._system
        with contextlib.ExitStack() as held:
            with system.run(self._plane) as process:
                async with self._timeline() as timeline:
                    await self._first_wave(timeline, process)
                if process is None:
                    return self._run
                await asyncio.sleep(PAUSE_SECONDS)
                self._run.rss_bytes = process.peak_rss_bytes
                async with self._timeline() as timeline:
                    await self._second_wave(timeline, process)
                held.enter_context(self._plane.without_controllers())
                await self._idle()
            if isinstance(system, Perennial):
                await self._restart(system)
        return self._run

    def _timeline(self) -> Timeline:
        system = self._system
        return Timeline(self._api, system.owners, system.children, system.has_status, system.shows_change)

    async def _first_wave(self, timeline: Timeline, process: Process | None) -> None:
        """From the first create until every object has its child, and its status where the system gives one."""
        run, names = self._run, _names("a", self._objects)
        self._audit.skip()
        cpu = process.cpu_seconds if process else 0.0
        ended = await self._converge(timeline, process, names)
        run.objects_per_second = len(names) / (ended - min(timeline.created.values()))
        if process:
            run.cpu_s = process.cpu_seconds - cpu
        requests = self._audit.count(*self._system.agents)
        run.requests_per_object, run.writes_per_object = requests.requests / len(names), requests.writes / len(names)
        child, status = _delays(timeline.created, timeline.child), _delays(timeline.created, timeline.status)
        run.p50_first_child_s, run.p99_first_child_s = percentile(child, 50), percentile(child, 99)
        if len(status) == len(names):
            run.p50_first_status_s, run.p99_first_status_s = percentile(status, 50), percentile(status, 99)
        _say(f"{run.objects_per_second:.1f} objects/s, {run.requests_per_object:.1f} requests each")

    async def _converge(self, timeline: Timeline, process: Process | None, names: list[str]) -> float:
        """Creates the objects; returns when the last of them was as it should be."""
        await self._create(timeline, names)
        end = time.monotonic() + LONGEST_CONVERGENCE_SECONDS
        wanted = set(names)
        needed = (timeline.child, timeline.status) if self._system.gives_status else (timeline.child,)
        while not all(wanted <= seen.keys() for seen in needed):
            if process:
                process.check()
            timeline.check()
            if time.monotonic() > end:
                raise SystemExit(f"{self._system.name}: not all objects converged in {LONGEST_CONVERGENCE_SECONDS} s.")
            await asyncio.sleep(0.05)
        return max(seen[name] for seen in needed for name in names)

    async def _create(self, timeline: Timeline, names: Iterable[str]) -> None:
        left = iter(names)

        async def client() -> None:
            for name in left:
                timeline.created[name] = time.monotonic()
                await self._system.create(self._api, name)

        async with asyncio.TaskGroup() as group:
            for _ in range(CONCURRENCY):
                group.create_task(client())

    async def _quiet(self) -> None:
        """Waits until nobody writes any more; what still writes after the longest time shows in the idle writes."""
        end = time.monotonic() + LONGEST_UNREST_SECONDS
        self._audit.skip()
        while time.monotonic() < end:
            await asyncio.sleep(QUIET_SECONDS)
            if not self._audit.count().writes:
                return

    async def _idle(self) -> None:
        await self._quiet()
        self._audit.skip()
        await asyncio.sleep(IDLE_SECONDS)
        self._run.idle_writes = self._audit.count(*self._system.agents).writes
        _say(f"{self._run.idle_writes} writes in {IDLE_SECONDS:.0f} idle seconds")

    async def _restart(self, system: Perennial) -> None:
        """The same objects met by a new process, which is watched until after its comparison with the server."""
        self._audit.skip()
        began = time.monotonic()
        self._run.restart_objects = len((await self._api.get(system.owners))["items"])
        with system.run(self._plane) as process:
            await asyncio.to_thread(system.wait_until_settled, process, self._run.restart_objects)
            self._run.restart_s = time.monotonic() - began
            await asyncio.sleep(IDLE_SECONDS)
            self._run.restart_rss_bytes = process.peak_rss_bytes
        self._run.restart_writes = self._audit.count(*system.agents).writes
        _say(f"restart settled in {self._run.restart_s:.1f} s, {self._run.restart_writes} writes")

    async def _second_wave(self, timeline: Timeline, process: Process) -> None:
        """While more objects converge, children of the first ones change: how soon does the owner's status tell?"""
        names = [name async for name in self._system.changeable(self._api)][:CHANGES]
        changed: Clock = {}
        changing = asyncio.create_task(self._change(names, changed))
        await self._converge(timeline, process, _names("b", min(self._objects, SECOND_WAVE)))
        changing.cancel()
        await asyncio.gather(changing, return_exceptions=True)
        end = time.monotonic() + LONGEST_CHANGE_SECONDS
        while not changed.keys() <= timeline.shown.keys() and time.monotonic() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        delays = [timeline.shown.get(name, time.monotonic()) - when for name, when in changed.items()]
        self._run.child_changes = len(delays)
        self._run.p50_child_to_status_s, self._run.p99_child_to_status_s = (
            percentile(delays, 50),
            percentile(delays, 99),
        )
        _say(f"a child's change shows after {self._run.p99_child_to_status_s} s (p99 of {len(delays)})")

    async def _change(self, names: list[str], changed: Clock) -> None:
        for name in names:
            sent = time.monotonic()
            await self._system.change_child(self._api, name)
            changed[name] = sent  # not before it is done: the last one may be cancelled on its way
            await asyncio.sleep(CHANGE_PERIOD)


def _names(prefix: str, number: int) -> list[str]:
    return [f"{prefix}-{i:05}" for i in range(number)]


def _delays(since: Clock, until: Clock) -> list[float]:
    return [until[name] - begun for name, begun in since.items() if name in until]


def _say(text: str) -> None:
    print(f"    {text}", flush=True)
