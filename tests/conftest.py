"""A control plane for the session (etcd, kube-apiserver, controller-manager; no node), a namespace for each test."""

import os
import shutil
import uuid
from collections.abc import Iterator

import pytest
from control_plane import ROOT, ControlPlane, local_cluster

NAME = "test"


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """The cluster of $PERENNIAL_TEST_KUBECONFIG, or one of our own that ends with the session."""
    if given := os.environ.get("PERENNIAL_TEST_KUBECONFIG"):
        own = local_cluster("kubectl-path")
        yield _with_crds(ControlPlane(given, own if os.path.exists(own) else shutil.which("kubectl") or own))
        return
    local_cluster("up", "--name", NAME, "--control-plane-only")
    try:
        yield _with_crds(ControlPlane(local_cluster("kubeconfig", "--name", NAME), local_cluster("kubectl-path")))
    finally:
        local_cluster("down", "--name", NAME)


def _with_crds(control_plane: ControlPlane) -> ControlPlane:
    control_plane.kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
    control_plane.kubectl("wait", "--for=condition=Established", "-f", str(ROOT / "crds"), "--timeout=30s")
    return control_plane


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
