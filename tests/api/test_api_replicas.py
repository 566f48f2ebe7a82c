"""The number of replicas of a Deployment: the scale subresource, kubectl scale, a real HorizontalPodAutoscaler."""

from pathlib import Path
from typing import Any

from perennial_testing.cluster.control_plane import ControlPlane
from perennial_testing.cluster.node import eventually
from perennial_testing.cluster.operator_process import Operator
from perennial_testing.cluster.story import Story
from perennial_testing.specs.small_manifests import SMALL, manifest

AUTOSCALING = {"maxReplicas": 4, "metrics": [{"name": "queue-depth", "target": 1}]}


def create(control_plane: ControlPlane, namespace: str, **spec: Any) -> None:
    document = manifest("Deployment", "one", SMALL["Deployment"] | spec)
    control_plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=document)


def replicas(control_plane: ControlPlane, namespace: str) -> int:
    """spec.replicas as the scale subresource shows it."""
    path = f"/apis/perennial.dev/v1alpha1/namespaces/{namespace}/deployments/one/scale"
    return int(control_plane.read(path)["spec"].get("replicas", 0))


def test_the_scale_subresource_answers_without_replicas_in_the_manifest(
    control_plane: ControlPlane, namespace: str
) -> None:
    create(control_plane, namespace)
    assert replicas(control_plane, namespace) == 1


def test_a_number_set_by_kubectl_scale_survives_another_apply(control_plane: ControlPlane, namespace: str) -> None:
    create(control_plane, namespace)
    control_plane.kubectl("scale", "lmd/one", "-n", namespace, "--replicas=3")
    create(control_plane, namespace, runtime={"name": "transformers"})
    assert replicas(control_plane, namespace) == 3
    control_plane.kubectl("scale", "lmd/one", "-n", namespace, "--replicas=0")
    assert replicas(control_plane, namespace) == 0


def test_autoscaling_follows_scaling_by_hand_and_then_keeps_hands_off(
    control_plane: ControlPlane, namespace: str
) -> None:
    create(control_plane, namespace)
    control_plane.kubectl("scale", "lmd/one", "-n", namespace, "--replicas=3")
    create(control_plane, namespace, autoscaling=AUTOSCALING)
    refused = control_plane.kubectl("scale", "lmd/one", "-n", namespace, "--replicas=2", check=False)
    assert "`replicas` must not change while `autoscaling` is set" in refused.stderr
    create(control_plane, namespace)
    control_plane.kubectl("scale", "lmd/one", "-n", namespace, "--replicas=2")
    assert replicas(control_plane, namespace) == 2


def test_a_horizontal_pod_autoscaler_sets_the_number_of_pods(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    """It needs no metrics for its lower limit, so the controller-manager alone shows that it reads and writes ours."""
    Story(control_plane, namespace)  # makes the claims
    autoscaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "one"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "perennial.dev/v1alpha1", "kind": "Deployment", "name": "one"},
            "minReplicas": 2,
            "maxReplicas": 4,
        },
    }

    def pods() -> int | None:
        apps = control_plane.get("deployments.apps", "one", "-n", namespace)
        return apps["spec"]["replicas"] if apps else None

    with Operator(control_plane, tmp_path / "log", namespace):
        create(control_plane, namespace)
        eventually(lambda: pods() == 1, "the Deployment has one replica")
        control_plane.kubectl("create", "-n", namespace, "-f", "-", stdin=autoscaler)
        eventually(lambda: replicas(control_plane, namespace) == 2, "the autoscaler has scaled up", 120)
        eventually(lambda: pods() == 2, "the operator follows")
