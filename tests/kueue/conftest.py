"""A control plane and a real Kueue for the session; for each test a namespace with an operator, a node and a queue."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from perennial_testing.cluster.control_plane import ControlPlane, own
from perennial_testing.cluster.operator_process import Operator
from perennial_testing.kueue import bound_node
from perennial_testing.kueue.queue_scene import Scene, flavor, priority
from perennial_testing.servers import kueue_manager


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Always one of our own: Kueue's webhooks point to a port of this machine."""
    with own("test-kueue") as control_plane, kueue_manager.running(control_plane, tmp_path_factory.mktemp("kueue")):
        bound_node.register(control_plane)
        control_plane.kubectl("create", "-f", "-", stdin=[flavor(), priority()])
        yield control_plane


@pytest.fixture
def scene(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(control_plane, namespace)
    with Operator(control_plane, tmp_path / "log", namespace), scene.node:
        yield scene
    scene.remove_queue()
