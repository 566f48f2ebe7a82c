"""What the holders of Kubernetes' own roles may do with our kinds, by the chart's aggregated roles."""

from collections.abc import Iterator

import pytest

from perennial_testing.chart import manifests
from perennial_testing.cluster.control_plane import ControlPlane
from perennial_testing.cluster.node import eventually

KINDS = ("languagemodels", "trainingjobs", "deployments")
NAMES = ("perennial-view", "perennial-edit")
CHANGES = ("create", "update", "patch", "delete")


@pytest.fixture(scope="module")
def roles(control_plane: ControlPlane) -> Iterator[None]:
    """The chart's roles for users, as Helm renders them."""
    documents = [each for each in manifests() if each["metadata"]["name"] in NAMES]
    assert len(documents) == len(NAMES)
    control_plane.kubectl("apply", "-f", "-", stdin=documents)
    yield
    control_plane.kubectl("delete", "-f", "-", stdin=documents)


def may(control_plane: ControlPlane, namespace: str, user: str, verb: str, resource: str, part: str = "") -> bool:
    question = ("auth", "can-i", verb, f"{resource}.perennial.dev", f"--subresource={part}", "--as", user)
    return control_plane.kubectl(*question, "-n", namespace, check=False).stdout.strip() == "yes"


@pytest.mark.usefixtures("roles")
def test_view_reads_and_edit_changes(control_plane: ControlPlane, namespace: str) -> None:
    for role in ("view", "edit"):
        control_plane.kubectl("create", "rolebinding", role, f"--clusterrole={role}", f"--user={role}", "-n", namespace)
    eventually(lambda: may(control_plane, namespace, "edit", "create", KINDS[0]), "the controller aggregates them", 30)
    for kind in KINDS:
        assert may(control_plane, namespace, "view", "watch", kind)
        assert may(control_plane, namespace, "edit", "list", kind)
        assert not may(control_plane, namespace, "nobody", "get", kind)
        for verb in CHANGES:
            assert may(control_plane, namespace, "edit", verb, kind)
            assert not may(control_plane, namespace, "view", verb, kind)
    assert may(control_plane, namespace, "edit", "patch", "deployments", "scale")
    assert not may(control_plane, namespace, "view", "patch", "deployments", "scale")
