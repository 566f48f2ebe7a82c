"""A simulated node to which pods are bound: so they are deleted as real ones are, and not at once."""

from perennial_contract.exits import TERMINATED
from perennial_testing.cluster.control_plane import ControlPlane, Manifest
from perennial_testing.cluster.node import Node, Train

NAME = "simulated"


class BoundNode(Node):
    """A pod that is to be deleted ends as a training does on SIGTERM, and is gone then."""

    def __init__(self, control_plane: ControlPlane, namespace: str, train: Train) -> None:
        super().__init__(control_plane, namespace, train)
        self.terminated: list[str] = []
        self.lingers = False  # a pod takes its time to end

    def _look_after(self, pod: Manifest) -> None:
        if "deletionTimestamp" in pod["metadata"]:
            if not self.lingers:
                self._terminate(pod)
        elif "nodeName" not in pod["spec"]:
            self._bind(pod)
        else:
            super()._look_after(pod)

    def _bind(self, pod: Manifest) -> None:
        target = {"apiVersion": "v1", "kind": "Node", "name": NAME}
        body = {"metadata": {"name": pod["metadata"]["name"]}, "target": target}
        # The client can't read the answer.
        self._core.create_namespaced_pod_binding(
            body["metadata"]["name"], self._namespace, body, _preload_content=False
        )

    def _terminate(self, pod: Manifest) -> None:
        if pod["status"]["phase"] in ("Pending", "Running"):
            self._end(pod, TERMINATED, "")
            self.terminated.append(pod["spec"]["hostname"])
        self._core.delete_namespaced_pod(pod["metadata"]["name"], self._namespace, grace_period_seconds=0)


def register(control_plane: ControlPlane) -> None:
    """Makes the Node object: the pods of one that isn't there are collected."""
    control_plane.kubectl("create", "-f", "-", stdin={"apiVersion": "v1", "kind": "Node", "metadata": {"name": NAME}})
