"""Plays the whole life of a model once for each fault at each of the operator's writes."""

import multiprocessing
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from perennial_testing.cluster.control_plane import ControlPlane
from perennial_testing.cluster.end_state import differences, end_state
from perennial_testing.cluster.node import Node, loss_by_seed
from perennial_testing.cluster.operator_process import Operator
from perennial_testing.cluster.story import Story, with_loss
from perennial_testing.faults.proxy import Answer, Fault, Kill, LoseReply, Proxy, Request, Rule

KILLS: dict[str, Fault] = {"killed before": Kill(takes_effect=False), "killed after": Kill(takes_effect=True)}
ERRORS: dict[str, Fault] = {
    "reply lost": LoseReply(),
    "403": Answer(403, "Forbidden"),
    "409": Answer(409, "Conflict"),
    "410": Answer(410, "Expired"),
    "429": Answer(429, "TooManyRequests", retry_after=1),
    "500": Answer(500, "InternalError"),
    "504": Answer(504, "Timeout"),
}
FAULTS = KILLS | ERRORS
# A story has about a hundred writes; it bears errors at several of them, as they are over before the next one comes.
STEP = 12
# Enough for a retry after the longest of the pauses that one fault can cause.
PATIENCE = 90.0
_QUIET = 1.5
_ATTEMPTS = 3

State = dict[str, Any]
KEEP_ALL: State = {"versionHistoryLimit": 5}
LAST = {1: "Accepted", 2: "Accepted", 3: "Refused"}


@dataclass(frozen=True)
class Step:
    """What the user changes, and where that ends."""

    name: str
    change: dict[str, Any]
    states: dict[int, str]
    serving: int

    def play(self, story: Story) -> None:
        """Returns once the model is there; raises AssertionError if it takes too long."""
        story.apply(**self.change)
        story.wait(self.states, self.serving, PATIENCE)


LIFE = (
    Step("first version", KEEP_ALL | with_loss(3.0), {1: "Accepted"}, 1),
    Step("better version", with_loss(2.5), {1: "Accepted", 2: "Accepted"}, 2),
    Step("refused version", with_loss(2.9), LAST, 2),
    Step("rollback", {"promotion": {"pin": {"version": 1}}}, LAST, 1),
)


@dataclass(frozen=True)
class Point:
    """A fault at one write; those that leave the operator alive also at every further STEPth."""

    number: int
    fault: str

    def covers(self, number: int) -> bool:
        """Whether the fault comes at this write."""
        if self.fault in KILLS:
            return number == self.number
        return number % STEP == self.number % STEP

    def __str__(self) -> str:
        return f"write {self.number}, {self.fault}"


def points(length: int, faults: Iterable[str], every: int) -> list[Point]:
    """Points that together cover each of so many writes; `every`: only each so manieth of the points."""
    return [Point(n, fault) for fault in faults for n in range(1, _stories(fault, length) + 1, every)]


def _stories(fault: str, length: int) -> int:
    return length if fault in KILLS else STEP


@dataclass
class End:
    """What became of a story: where it ended, how many writes it took, and which of them met the fault."""

    state: State = field(default_factory=dict)
    writes: int = 0
    met: list[str] = field(default_factory=list)
    seconds: float = 0.0
    trouble: list[str] = field(default_factory=list)


def play(kubeconfig: str, kubectl: str, point: Point | None, expected: State | None) -> End:
    """The story with a fault at one point, or none; without an expected end the end is taken once it is quiet."""
    control_plane, namespace = ControlPlane(kubeconfig, kubectl), f"sweep-{uuid.uuid4().hex[:8]}"
    control_plane.kubectl("create", "namespace", namespace)
    end, started = End(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder, Proxy(control_plane, Path(folder)) as proxy:
        operator = Operator(proxy.control_plane, Path(folder) / "log", namespace)
        proxy.kill, proxy.restart = operator.kill, operator.start
        if point:
            proxy.rule = _once(point)
        try:
            with Node(control_plane, namespace, loss_by_seed) as node, operator:
                _tell(Story(control_plane, namespace), proxy, node, expected, end)
        except AssertionError as error:
            end.trouble.append(f"{error}\n{operator.log[-3000:]}")
        end.writes = len(proxy.writes)
        end.met = [str(request) for request, _ in proxy.faults]
    control_plane.kubectl("delete", "namespace", namespace, "--wait=false")
    end.seconds = time.monotonic() - started
    return end


def _once(point: Point) -> Rule:
    def rule(request: Request) -> Fault | None:
        return FAULTS[point.fault] if request.is_write and point.covers(request.number) else None

    return rule


def _tell(story: Story, proxy: Proxy, node: Node, expected: State | None, end: End) -> None:
    for step in LIFE:
        step.play(story)
    end.state = _settled(story, proxy, expected)
    if expected:
        end.trouble += differences(expected, end.state)
    if node.trained != ["writer-v1", "writer-v2", "writer-v3"]:
        end.trouble.append(f"these were trained: {node.trained}")
    story.delete(PATIENCE)


def _settled(story: Story, proxy: Proxy, expected: State | None) -> State:
    """The state in which nothing is written any more; where one is expected, it has time to come about."""
    deadline = time.monotonic() + PATIENCE
    while True:
        before, state = len(proxy.writes), end_state(story)
        time.sleep(_QUIET)
        if len(proxy.writes) == before and (expected in (None, state) or time.monotonic() > deadline):
            return state


def sweep(
    control_plane: ControlPlane, points: list[Point], expected: State, workers: int
) -> Iterator[tuple[Point, End]]:
    """Plays each point, several at a time; a point that its run did not reach is played again."""
    where = control_plane.kubeconfig, control_plane.kubectl_path
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for attempt in range(_ATTEMPTS):
            played = {pool.submit(play, *where, point, expected): point for point in points}
            points = []
            for future in as_completed(played):
                point, end = played[future], future.result()
                if end.met or end.trouble or attempt == _ATTEMPTS - 1:
                    yield point, end
                else:
                    points.append(point)
