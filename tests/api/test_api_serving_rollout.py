"""A change of the operator's default serving image, on the real controller of apps/v1 Deployments."""

from pathlib import Path

from perennial_testing.cluster.control_plane import ControlPlane, Manifest
from perennial_testing.cluster.node import Node, eventually, loss_by_seed
from perennial_testing.cluster.operator_process import Operator
from perennial_testing.cluster.story import Story
from perennial_testing.specs.small_manifests import SMALL, manifest

WRONG = "wrong:1"
NAMES = ("one", "two")


class NodeWithoutTheImage(Node):
    """Pods with the wrong image never start."""

    def _look_after(self, pod: Manifest) -> None:
        if pod["spec"]["containers"][0]["image"] != WRONG:
            super()._look_after(pod)


def test_a_wrong_image_stops_at_the_first_deployment_and_another_image_mends_it(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    def images() -> list[str]:
        workloads = [control_plane.get("deployments.apps", name, "-n", namespace) for name in NAMES]
        return [each["spec"]["template"]["spec"]["containers"][0]["image"] if each else "" for each in workloads]

    def ready() -> list[bool]:
        return [has(name, "Ready", "InService") for name in NAMES]

    def has(name: str, type_: str, reason: str) -> bool:
        conditions = control_plane.get("lmd", name, "-n", namespace).get("status", {}).get("conditions", [])
        return any((c["type"], c["reason"]) == (type_, reason) for c in conditions)

    def operator(image: str) -> Operator:
        flags = ("--serving-image", image, "--serving-rollout-max-concurrent", "1")
        return Operator(control_plane, tmp_path / "log", namespace, flags=flags)

    Story(control_plane, namespace)  # makes the claims
    with NodeWithoutTheImage(control_plane, namespace, loss_by_seed):
        with operator("right:1"):
            for name in NAMES:
                document = manifest("Deployment", name, SMALL["Deployment"])
                control_plane.kubectl("create", "-n", namespace, "-f", "-", stdin=document)
            eventually(lambda: ready() == [True, True], "both are in service")
        with operator(WRONG):
            eventually(lambda: any(has(name, "UpToDate", "UpdateWaiting") for name in NAMES), "one waits")
            eventually(lambda: sorted(images()) == ["right:1", WRONG], "the other one has the wrong image")
            waiting = NAMES[images().index("right:1")]
            # Another number of replicas is no reason to follow.
            control_plane.kubectl("scale", f"lmd/{waiting}", "-n", namespace, "--replicas=2")
            eventually(lambda: has(waiting, "Ready", "InService"), "it is scaled")
            assert sorted(images()) == ["right:1", WRONG]
            assert has(waiting, "UpToDate", "UpdateWaiting")
        with operator("right:2"):
            eventually(lambda: images() == ["right:2", "right:2"], "both follow, one after the other")
            eventually(lambda: ready() == [True, True], "both are in service again")
