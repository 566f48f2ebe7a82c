"""A control plane for the session (etcd, kube-apiserver, controller-manager; no node), a namespace for each test.

And an S3 server for the session, a bucket for each test.
"""

import os
import uuid
from collections.abc import Iterator

import hypothesis
import pytest

from perennial_testing.cluster.control_plane import ROOT, ControlPlane, provided
from perennial_testing.servers import s3_server
from perennial_testing.servers.s3_server import S3Server

# How long an example takes is up to the machine and what else it does.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

# Workers of pytest-xdist take whole files: those that take longest begin first, or one would end long after the rest.
# In tests/faults those that mostly wait begin first, beside the tests of the API, which compute.
FIRST = (
    *("test_served_tasks", "test_local_cluster", "test_story", "test_watch", "test_disturbed_training"),
    *("test_tracking", "test_optimisation", "test_bucket_output", "test_processes", "test_tasks", "test_training"),
    *("test_runtimes", "test_serving_inference", "test_launch", "test_resume", "test_serving_api"),
    *("test_stability", "test_views"),
)


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    with provided() as control_plane:
        yield control_plane


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    name = f"t-{uuid.uuid4().hex[:8]}"
    control_plane.kubectl("create", "namespace", name)
    yield name
    control_plane.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def shared_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server.running(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def s3(shared_s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """An S3 server; the environment of who runs the tests says nothing of S3."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in s3_server.ALONE.items():
        monkeypatch.setenv(name, value)
    return shared_s3


@pytest.fixture
def bucket(s3: S3Server) -> str:
    return s3.bucket(f"t-{uuid.uuid4().hex[:12]}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: FIRST.index(item.path.stem) if item.path.stem in FIRST else len(FIRST))
    for item in items:
        tier = item.path.relative_to(ROOT / "tests").parts[0]
        if tier in ("api", "chart", "faults", "kueue"):
            item.add_marker(tier)
