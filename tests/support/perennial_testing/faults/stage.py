"""Where a case of the faults plays: a namespace of its own, an operator behind a proxy, and what stands for nodes."""

import json
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from perennial_testing.cluster.control_plane import ControlPlane
from perennial_testing.cluster.node import Node, loss_by_seed
from perennial_testing.cluster.operator_process import Operator
from perennial_testing.cluster.story import Story
from perennial_testing.faults.proxy import Proxy


class Stage(ExitStack):
    """One case's own. What is opened with it ends with it."""

    def __init__(self, control_plane: ControlPlane, folder: Path, title: str) -> None:
        super().__init__()
        self.control_plane, self.folder, self.title = control_plane, folder, title
        self.namespace = f"t-{uuid.uuid4().hex[:8]}"

    def __enter__(self) -> "Stage":
        self.folder.mkdir()
        self.control_plane.kubectl("create", "namespace", self.namespace)
        self.callback(self.control_plane.kubectl, "delete", "namespace", self.namespace, "--wait=false")
        return self

    def proxy(self) -> Proxy:
        """Another one with each call."""
        folder = self.folder / f"proxy-{uuid.uuid4().hex[:8]}"
        folder.mkdir()
        return self.enter_context(Proxy(self.control_plane, folder))

    def node(self) -> Node:
        """Works until the end."""
        return self.enter_context(Node(self.control_plane, self.namespace, loss_by_seed))

    def operator(self, control_plane: ControlPlane, *flags: str) -> Operator:
        """Not started yet; whatever befell it, it has told so without a traceback."""
        log = self.folder / f"operator-{uuid.uuid4().hex[:8]}.log"
        operator = Operator(control_plane, log, self.namespace, flags=flags)
        self.callback(_end, operator)
        return operator

    def kubelet(self, operator: Operator) -> "Kubelet":
        """Used as a block within the life of the operator."""
        return Kubelet(operator)

    def story(self) -> Story:
        """Of the LanguageModel in the namespace."""
        return Story(self.control_plane, self.namespace)

    def recovered(self, seconds: float, what: str = "") -> None:
        """Notes how long a recovery took."""
        case = ", ".join(filter(None, (self.title, what)))
        print(f"recovered in {seconds:.1f} s: {case}")
        if report := os.environ.get("PERENNIAL_FAULTS_REPORT"):
            with Path(report).open("a") as file:
                file.write(json.dumps({"case": case, "seconds": round(seconds, 1)}) + "\n")


def _end(operator: Operator) -> None:
    if operator.lives:
        operator.stop()
    assert "Traceback" not in operator.log, operator.log


class Kubelet(threading.Thread):
    """Starts the operator again when it has ended."""

    def __init__(self, operator: Operator) -> None:
        super().__init__(daemon=True)
        self._operator = operator
        self._done = threading.Event()
        self.restarts = 0

    def __enter__(self) -> "Kubelet":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join()

    def run(self) -> None:
        while not self._done.wait(1):
            if not self._operator.lives:
                self.restarts += 1
                self._operator.start()


Case = Callable[[Stage], None]


def title(case: Case) -> str:
    """The name of a case in words."""
    return case.__name__.replace("_", " ")


@contextmanager
def side_by_side(
    request: pytest.FixtureRequest, control_plane: ControlPlane, folder: Path, at_once: int
) -> Iterator[dict[Case, "Future[None]"]]:
    """Plays the chosen cases of a module at once, as they mostly wait: those that tests have as parameter `case`."""

    def play(case: Case) -> None:
        with Stage(control_plane, folder / case.__name__, title(case)) as stage:
            case(stage)

    items = [item for item in request.session.items if item.path == request.path and hasattr(item, "callspec")]
    cases = [item.callspec.params["case"] for item in items if "case" in item.callspec.params]
    with ThreadPoolExecutor(at_once) as pool:
        yield {case: pool.submit(play, case) for case in cases}
