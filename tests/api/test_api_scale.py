"""Several pods, quotas, deadlines, refused overlays and the time to live, on the real Job controller."""

import threading
from pathlib import Path
from typing import Any

import pytest

from perennial_testing.cluster.control_plane import ControlPlane, Manifest
from perennial_testing.cluster.node import End, Node, eventually, loss_by_seed
from perennial_testing.cluster.operator_process import Operator
from perennial_testing.cluster.story import Story, with_loss
from perennial_testing.specs.small_manifests import SMALL, manifest, merged

TWO = {"training": {"compute": {"nodes": 2}}}
LIMIT_RANGE = {
    "apiVersion": "v1",
    "kind": "LimitRange",
    "metadata": {"name": "small"},
    "spec": {"limits": [{"type": "Container", "min": {"memory": "512Mi"}}]},
}


@pytest.fixture
def claims(control_plane: ControlPlane, namespace: str) -> None:
    Story(control_plane, namespace)  # makes the claims


def create(control_plane: ControlPlane, namespace: str, **spec: Any) -> None:
    document = manifest("TrainingJob", "one", merged(SMALL["TrainingJob"], spec))
    control_plane.kubectl("create", "-n", namespace, "-f", "-", stdin=document)


def await_reason(control_plane: ControlPlane, namespace: str, reason: str, seconds: float = 60) -> str:
    """Waits until Ready gives this reason; the message."""

    def ready() -> Manifest:
        conditions = control_plane.get("tj", "one", "-n", namespace).get("status", {}).get("conditions", [])
        return next((c for c in conditions if c["type"] == "Ready"), {})

    eventually(lambda: ready().get("reason") == reason, reason, seconds)
    return str(ready()["message"])


@pytest.mark.usefixtures("claims")
def test_two_pods_train_and_go_when_their_time_is_over(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    both_seen = threading.Event()  # when the first pod has trained, the Job deletes the other

    def train(config: dict[str, Any]) -> End | None:
        return loss_by_seed(config) if both_seen.is_set() else None

    def names() -> set[tuple[str, str]]:
        pods = control_plane.objects(namespace, "v1/pods")
        return {(pod["spec"]["hostname"], pod["spec"]["subdomain"]) for pod in pods}

    with Operator(control_plane, tmp_path / "log", namespace), Node(control_plane, namespace, train) as node:
        create(control_plane, namespace, **TWO)
        eventually(lambda: names() == {("one-0", "one"), ("one-1", "one")}, "both pods are there")
        both_seen.set()
        assert "300 steps" in await_reason(control_plane, namespace, "Trained")
        service = control_plane.get("service", "one", "-n", namespace)["spec"]
        assert (service["clusterIP"], service["publishNotReadyAddresses"]) == ("None", True)
        assert "one" in node.trained
        control_plane.kubectl(
            "patch", "tj", "one", "-n", namespace, "--type=merge", "-p", '{"spec": {"ttlSecondsAfterFinished": 1}}'
        )
        eventually(lambda: control_plane.get("tj", "one", "-n", namespace) is None, "it is deleted")
        eventually(lambda: control_plane.get("service", "one", "-n", namespace) is None, "its Service goes too")


def test_what_keeps_pods_away_is_told(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> None:
    """A LimitRange the pod of a deletion, and a quota that of a training: both are waited for at the same time."""
    story = Story(control_plane, namespace)
    with Operator(control_plane, tmp_path / "log", namespace):
        with Node(control_plane, namespace, loss_by_seed):
            story.apply(versionHistoryLimit=1, **with_loss(3.0))
            story.wait({1: "Accepted"}, serving=1)
            control_plane.kubectl("create", "-n", namespace, "-f", "-", stdin=LIMIT_RANGE)
            story.train(2.5)
            story.wait({1: "Accepted", 2: "Accepted"}, serving=2)
        control_plane.kubectl("create", "quota", "pods", "--hard=pods=1", "-n", namespace)
        quota = ("resourcequota", "pods", "-n", namespace)
        eventually(lambda: "hard" in control_plane.get(*quota).get("status", {}), "the quota counts")
        create(control_plane, namespace, **TWO)
        message = await_reason(control_plane, namespace, "QuotaExceeded", seconds=90)
        assert "exceeded quota: pods" in message
        assert message.endswith("Raise the quota of the namespace, or request less in training.compute.")

        def collected() -> dict[str, str]:
            return next(each for each in story.status()["conditions"] if each["type"] == "Collected")

        eventually(lambda: collected()["reason"] == "PodRefused", "the deletion is refused", 60)
        assert "The files of v1 are not deleted: " in collected()["message"]
        assert "minimum memory usage per Container is 512Mi, but request is 256Mi" in collected()["message"]


@pytest.mark.usefixtures("claims")
def test_a_deadline_ends_it(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> None:
    with Operator(control_plane, tmp_path / "log", namespace):
        create(control_plane, namespace, training={"activeDeadlineSeconds": 2})
        assert "more than training.activeDeadlineSeconds (2)" in await_reason(
            control_plane, namespace, "DeadlineExceeded"
        )
        assert control_plane.get("tj", "one", "-n", namespace)["status"]["state"] == "Failed"


# What only the Job's own schema and validation know; a part of what the API server says.
REFUSED: dict[str, tuple[Manifest, str]] = {
    "a field that affinity has not": ({"affinity": {"nodeAfinity": {"a": 1}}}, "nodeAfinity"),
    "a volume of two kinds": (
        {"volumes": [{"name": "a", "emptyDir": {}, "hostPath": {"path": "/a"}}]}, "more than 1 volume type",
    ),
    "a variable from nowhere": ({"env": [{"name": "A", "valueFrom": {}}]}, "valueFrom"),
    "a toleration of a value that does not count": (
        {"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]}, "value must be empty",
    ),
}  # fmt: skip


@pytest.mark.usefixtures("claims")
@pytest.mark.parametrize("what", REFUSED)
def test_what_the_api_server_refuses_of_an_overlay_is_told(
    control_plane: ControlPlane, namespace: str, tmp_path: Path, what: str
) -> None:
    overlay, part = REFUSED[what]
    with Operator(control_plane, tmp_path / "log", namespace):
        create(control_plane, namespace, training={"pod": overlay})
        message = await_reason(control_plane, namespace, "ApplyRefused")
        assert part in message
        assert message.endswith("Correct the spec.")


@pytest.mark.usefixtures("claims")
def test_kueue_suspends_and_admits_and_a_pause_leaves_the_queue(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    """Here the test is Kueue: it alone suspends and admits."""
    suspend = '{"spec": {"suspend": %s}}'

    def patch(kind: str, value: str) -> None:
        control_plane.kubectl("patch", kind, "one", "-n", namespace, "--type=merge", "-p", suspend % value)

    with Operator(control_plane, tmp_path / "log", namespace):
        create(control_plane, namespace, training={"queueName": "research"})
        eventually(lambda: control_plane.get("job", "one", "-n", namespace), "there is a Job")
        patch("job", "true")
        assert '"research"' in await_reason(control_plane, namespace, "Queued")
        patch("job", "false")
        await_reason(control_plane, namespace, "Starting")
        assert control_plane.get("job", "one", "-n", namespace)["spec"]["suspend"] is False
        patch("tj", "true")
        await_reason(control_plane, namespace, "Suspended")
        eventually(lambda: control_plane.get("job", "one", "-n", namespace) is None, "the Job has left the queue")
        patch("tj", "false")
        eventually(lambda: control_plane.get("job", "one", "-n", namespace), "it is back in the queue")


def end(control_plane: ControlPlane, namespace: str, pod: Manifest, code: int, **status: Any) -> None:
    """Ends a pod as the kubelet would."""
    terminated = {"exitCode": code, "reason": "Error", "startedAt": STARTED, "finishedAt": STARTED}
    container = {
        "name": "training", "image": "i", "imageID": "", "ready": False, "restartCount": 0,
        "state": {"terminated": terminated},
    }  # fmt: skip
    body = {"status": {"phase": "Failed", "containerStatuses": [container]} | status}
    control_plane.clients()[0].patch_namespaced_pod_status(pod["metadata"]["name"], namespace, body)


STARTED = "2026-03-01T12:00:00Z"


@pytest.mark.usefixtures("claims")
def test_neither_a_disruption_nor_its_consequence_counts_as_a_failure(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    def pods() -> dict[str, Manifest]:
        found = control_plane.objects(namespace, "v1/pods")
        return {p["spec"]["hostname"]: p for p in found if p["status"].get("phase") == "Pending"}

    with Operator(control_plane, tmp_path / "log", namespace):
        create(control_plane, namespace, training={"compute": {"nodes": 2}, "backoffLimit": 0})
        eventually(lambda: len(pods()) == 2, "there are two pods")
        before = pods()
        gone = {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager"}
        end(control_plane, namespace, before["one-1"], 137, conditions=[gone | {"lastTransitionTime": STARTED}])
        end(control_plane, namespace, before["one-0"], 76)
        eventually(lambda: len(pods()) == 2, "both are there again")
        assert {p["metadata"]["uid"] for p in pods().values()}.isdisjoint(p["metadata"]["uid"] for p in before.values())
        assert control_plane.get("tj", "one", "-n", namespace)["status"]["state"] == "Pending"
        end(control_plane, namespace, pods()["one-0"], 1)
        eventually(lambda: control_plane.get("tj", "one", "-n", namespace)["status"]["state"] == "Failed", "it fails")
