"""A control plane for the session (etcd, kube-apiserver, controller-manager; no node), a namespace for each test."""

import uuid
from collections.abc import Iterator

import pytest
from control_plane import ROOT, ControlPlane, provided


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        tier = item.path.relative_to(ROOT / "tests").parts[0]
        if tier in ("api", "faults"):
            item.add_marker(tier)
