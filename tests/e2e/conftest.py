"""The tests in real pods share one playground: a cluster with Perennial, Prometheus and a Pushgateway in it.

So do the workers of pytest-xdist: the first that needs it brings it up, and the end of the session takes it down.
"""

import fcntl
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from perennial_testing.cluster.control_plane import ROOT
from perennial_testing.pods.manifests import CLAIM
from playground import clusters
from playground import language_models as lm
from playground.commands import Kubectl

NAME = f"{os.environ.get('PERENNIAL_TEST_CLUSTER', 'test')}-e2e"
FOLDER = Path(__file__).parent
BEGUN: list[str] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--keep-playground", action="store_true", help="leave the cluster up after the tests in real pods")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if FOLDER in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def playground(tmp_path_factory: pytest.TempPathFactory, testrun_uid: str) -> clusters.Chosen:
    """Brings the playground up, with the code as it is; what it prints is shown, since it takes minutes."""
    brought_up = tmp_path_factory.getbasetemp().parent / f"playground-{testrun_uid}"
    with brought_up.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not brought_up.exists():
            subprocess.run([sys.executable, ROOT / "tools/playground", "up", "--name", NAME], check=True)
            brought_up.touch()
    return clusters.find(NAME)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Takes it down where it all began, not in each worker."""
    is_worker = hasattr(session.config, "workerinput")
    if not is_worker and BEGUN and not session.config.getoption("--keep-playground", False):
        subprocess.run([sys.executable, ROOT / "tools/playground", "down", "--name", NAME], check=True)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Notes what has begun, in whichever process."""
    if report.when == "setup" and report.nodeid.startswith("tests/e2e/"):
        BEGUN.append(report.nodeid)


@pytest.fixture(scope="module")
def chosen(request: pytest.FixtureRequest) -> list[Any]:
    """With what the parametrized test of a module is run in this session, in order."""
    items = [item for item in request.session.items if item.path == request.path and hasattr(item, "callspec")]
    return [value for item in items for value in item.callspec.params.values()]


@pytest.fixture(scope="module")
def new_namespace(playground: clusters.Chosen, request: pytest.FixtureRequest) -> Iterator[Callable[[str], Kubectl]]:
    """Makes a namespace with the corpus in it, and yields a client of it. Its pods end with the module."""
    made: list[str] = []

    def make(stem: str) -> Kubectl:
        kubectl = playground.client(f"{stem}-{uuid.uuid4().hex[:6]}")
        made.append(kubectl.namespace)
        lm.prepare(kubectl, kubectl.namespace)
        kubectl("apply", "-f", "-", stdin=json.dumps(CLAIM))
        return kubectl

    yield make
    if made and not request.config.getoption("--keep-playground", False):
        playground.client()("delete", "namespace", "--wait=false", *made)
