"""Plays many sequences side by side on one operator, beside what must not notice."""

import asyncio
import contextlib
import itertools
import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from perennial.kube.resources import OWN
from perennial_testing.cluster.control_plane import ControlPlane
from perennial_testing.cluster.operator_process import Operator
from perennial_testing.misoperation.cluster import Api, Manifest, Mirror, Refusal
from perennial_testing.misoperation.nodes import Nodes
from perennial_testing.misoperation.play import Player, Violation, judge
from perennial_testing.misoperation.steps import Sequence, for_bystanders
from perennial_testing.misoperation.view import conditions

# Sequences with a quota have namespaces of their own meanwhile, as it would forbid others theirs.
SHARED, ALONE = 1, 4
_NOTICED, _PROBE_PERIOD = 30.0, 3.0
_names = (f"o{number}" for number in itertools.count(1))


@dataclass(frozen=True)
class Lane:
    """Where objects with a past are, and where fresh ones."""

    played: str
    fresh: str


@dataclass
class Findings:
    """What the oracles said of sequences, and of the operator as a whole."""

    played: int = 0
    violations: list[str] = field(default_factory=list)
    slowest_probe: float = 0.0

    def tell(self, violation: str) -> None:
        self.violations.append(violation)
        print(f"--- {violation}", flush=True)


class Arena:
    """An operator, nodes, bystanders in service and probes; plays sequences."""

    def __init__(self, control_plane: ControlPlane, log: Path, side_by_side: int) -> None:
        run = uuid.uuid4().hex[:6]
        lanes = [Lane(f"played-{run}-{i}", f"fresh-{run}-{i}") for i in range(SHARED + ALONE)]
        self._control_plane, self._log = control_plane, log
        self._shared, *alone = lanes
        self._alone: asyncio.Queue[Lane] = asyncio.Queue()
        for lane in alone:
            self._alone.put_nowait(lane)
        self._namespaces = [name for lane in lanes for name in (lane.played, lane.fresh)]
        self._places = asyncio.Semaphore(side_by_side)
        self._claims: set[tuple[str, str]] = set()
        self._bystanders: list[Bystander] = []
        self.findings = Findings()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator["Arena"]:
        """With all of it at work until the block ends; raises AssertionError if the operator did not bear it."""
        for name in self._namespaces:
            self._control_plane.kubectl("create", "namespace", name)
        operator = Operator(self._control_plane, self._log, *self._namespaces)
        try:
            async with Api(self._control_plane.kubeconfig) as self._api:
                with operator:
                    self._mirror = Mirror(self._api, self._namespaces)
                    tasks = [asyncio.create_task(run()) for run in (self._mirror.run, self._nodes().run)]
                    await self._start_bystanders()
                    tasks.append(asyncio.create_task(self._probe()))
                    yield self
                    self._look_at_bystanders()
                    _raise_what_ended(tasks)
                    for task in tasks:
                        task.cancel()
                    self._look_at_operator(operator)
        finally:
            self._control_plane.kubectl("delete", "namespace", "--wait=false", *self._namespaces)

    def _nodes(self) -> Nodes:
        return Nodes(self._api, self._mirror, self._claims)

    async def play(self, sequences: list[Sequence], progress: Callable[[Findings], None]) -> None:
        """Plays them, so many at once; what violates is made smaller and told."""

        async def one(sequence: Sequence) -> None:
            async with self._places:
                violation = await self._violation(sequence)
                self.findings.played += 1
                progress(self.findings)
            if violation:
                smaller, violation = await self._smaller(sequence, violation)
                self.findings.tell(f"{violation}\n{yaml.safe_dump(smaller, sort_keys=False)}")

        await asyncio.gather(*map(one, sequences))

    async def _smaller(self, sequence: Sequence, violation: str) -> tuple[Sequence, str]:
        """Without the steps that the violation does not need."""
        for index in reversed(range(len(sequence["steps"]))):
            steps = [step for i, step in enumerate(sequence["steps"]) if i != index]
            if not any(step["do"] == "apply" for step in steps):
                continue
            async with self._places:
                still = await self._violation(sequence | {"steps": steps})
            if still:
                sequence, violation = sequence | {"steps": steps}, still
        return sequence, violation

    async def _violation(self, sequence: Sequence) -> str | None:
        alone = any(step["do"] == "quota" and step["on"] for step in sequence["steps"])
        lane = await self._alone.get() if alone else self._shared
        name = next(_names)
        played, fresh = (
            Player(self._api, self._mirror, self._claims, sequence["kind"], namespace, name)
            for namespace in (lane.played, lane.fresh)
        )
        try:
            await played.prepare()
            await played.play(sequence["steps"])
            await judge(played, fresh)
        except (Violation, Refusal) as violation:
            return str(violation)
        finally:
            await asyncio.gather(played.leave(), fresh.leave())
            if alone:
                self._alone.put_nowait(lane)
        return None

    # What must not notice

    async def _start_bystanders(self) -> None:
        for index, namespace in enumerate(self._namespaces[::2]):
            for kind, spec in for_bystanders().items():
                player = Player(self._api, self._mirror, self._claims, kind, namespace, f"by{kind.lower()}{index}")
                self._bystanders.append(Bystander(player, self._mirror))
                await player.prepare()
                await player.apply(spec)
        await asyncio.gather(*(bystander.start() for bystander in self._bystanders))

    def _look_at_bystanders(self) -> None:
        for bystander in self._bystanders:
            for change in bystander.noticed():
                self.findings.tell(change)

    async def _probe(self) -> None:
        """Every few seconds a new object: is it looked at in time, whatever happens to others?"""
        for number in itertools.count():
            name, namespace = f"probe{number}", self._shared.fresh
            probe = Player(self._api, self._mirror, self._claims, "TrainingJob", namespace, name)
            started = time.monotonic()
            await probe.apply(for_bystanders()["TrainingJob"] | {"suspend": True})
            while not conditions(self._mirror.get(OWN["TrainingJob"], namespace, name) or {}):
                if time.monotonic() > started + _NOTICED:
                    self.findings.tell(f"a new object was not looked at within {_NOTICED:.0f} s")
                    break
                await asyncio.sleep(0.05)
            self.findings.slowest_probe = max(self.findings.slowest_probe, time.monotonic() - started)
            await probe.leave()
            await asyncio.sleep(_PROBE_PERIOD)

    def _look_at_operator(self, operator: Operator) -> None:
        if not operator.lives:
            self.findings.tell("the operator's process has ended")
        if "Traceback" in (log := operator.log):
            told = log[log.index("Traceback") :][:3000]
            self.findings.tell(f"a traceback in the operator's log:\n{told}")


class Bystander:
    """An object in service to which nobody does anything."""

    def __init__(self, player: Player, mirror: Mirror) -> None:
        self._player, self._mirror = player, mirror
        self._before: dict[Any, Manifest] = {}

    async def start(self) -> None:
        """Returns once it is in service and at rest."""
        await self._player.until_ready()
        await self._player.settle()
        self._before = self._children()

    def _children(self) -> dict[Any, Any]:
        """By child its specification's version."""
        children = self._mirror.of(self._player.namespace, self._player.name)
        return {
            key: (m["metadata"]["uid"], m["metadata"].get("generation"), m.get("data")) for key, m in children.items()
        }

    def noticed(self) -> list[str]:
        """What has changed."""
        now = self._children()
        changed = [key for key in self._before.keys() | now.keys() if self._before.get(key) != now.get(key)]
        told = [self._player.outage] if self._player.outage else []
        return told + [f"{key[0].kind} {key[1]} of a bystander has changed" for key in changed]


def _raise_what_ended(tasks: list["asyncio.Task[Any]"]) -> None:
    for task in tasks:
        if task.done():
            task.result()
