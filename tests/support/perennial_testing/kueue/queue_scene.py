"""What the tests do to queues and runs, and what they see of them."""

import json
import shlex
from typing import Any

from perennial_testing.cluster.control_plane import ControlPlane, Manifest
from perennial_testing.cluster.node import End, Train, eventually, loss_by_seed
from perennial_testing.cluster.story import Story
from perennial_testing.kueue.bound_node import BoundNode
from perennial_testing.specs.small_manifests import SMALL, manifest, merged

API = "kueue.x-k8s.io/v1beta2"
QUEUE = "research"
FLAVOR = "any"
POOL = {"example.org/pool": "any"}
URGENT = "urgent"
# Each pod asks for one.
CPU = {"training": {"queueName": QUEUE, "compute": {"resources": {"requests": {"cpu": "1"}}}}}


def flavor() -> Manifest:
    """Kueue writes its label into the node selector of what it admits."""
    spec = {"nodeLabels": POOL}
    return {"apiVersion": API, "kind": "ResourceFlavor", "metadata": {"name": FLAVOR}, "spec": spec}


def priority() -> Manifest:
    """Goes before what has none."""
    at = {"name": URGENT}
    return {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": at, "value": 1000}


def quota(cpus: int) -> Manifest:
    """The part of a ClusterQueue's spec that grants so much."""
    granted = {"name": FLAVOR, "resources": [{"name": "cpu", "nominalQuota": cpus}]}
    return {"resourceGroups": [{"coveredResources": ["cpu"], "flavors": [granted]}]}


class Scene:
    """A namespace with a queue of some CPUs, and trainings that go on until they are let end."""

    def __init__(self, control_plane: ControlPlane, namespace: str) -> None:
        self.control_plane, self.namespace = control_plane, namespace
        self.story = Story(control_plane, namespace)  # makes the claims
        self.node = BoundNode(control_plane, namespace, self._train)
        self._ends: dict[str, Train] = {}

    def _train(self, config: dict[str, Any]) -> End | None:
        end = self._ends.get(config["job"]["name"])
        return end(config) if end else None

    def let_end(self, name: str, end: Train = loss_by_seed) -> None:
        self._ends[name] = end

    def make_queue(self, cpus: int) -> None:
        """A LocalQueue, of a ClusterQueue of its own."""
        spec = {"namespaceSelector": {}, "preemption": {"withinClusterQueue": "LowerPriority"}, **quota(cpus)}
        at = {"name": self.namespace}
        queue = {"apiVersion": API, "kind": "ClusterQueue", "metadata": at, "spec": spec}
        self._kubectl("create", "-f", "-", stdin=queue)
        self.make_local_queue(QUEUE)

    def make_local_queue(self, name: str) -> None:
        spec = {"clusterQueue": self.namespace}
        queue = {"apiVersion": API, "kind": "LocalQueue", "metadata": {"name": name}, "spec": spec}
        self._kubectl("create", "-f", "-", stdin=queue)

    def set_queue(self, **spec: Any) -> None:
        """Changes the ClusterQueue."""
        self._patch("clusterqueue", self.namespace, spec)

    def remove_queue(self) -> None:
        self._kubectl("delete", "clusterqueue", self.namespace, "--wait=false", "--ignore-not-found")

    def create(self, name: str, **training: Any) -> None:
        """A TrainingJob in the queue."""
        spec = merged(merged(SMALL["TrainingJob"], CPU), {"training": training})
        self._kubectl("create", "-f", "-", stdin=manifest("TrainingJob", name, spec))

    def suspend(self, name: str, suspend: bool) -> None:
        self._patch("tj", name, {"suspend": suspend})

    def told(self, name: str) -> tuple[str, str, str]:
        """State, reason and message of a TrainingJob."""
        status = (self._get("tj", name) or {}).get("status", {})
        ready = next((c for c in status.get("conditions", []) if c["type"] == "Ready"), {})
        return status.get("state", ""), ready.get("reason", ""), ready.get("message", "")

    def wait(self, name: str, state: str, reason: str, seconds: float = 60) -> str:
        """Until the TrainingJob tells this; the message."""
        try:
            eventually(lambda: self.told(name)[:2] == (state, reason), f"{name} is {state}/{reason}", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; it says: {self.told(name)}") from None
        return self.told(name)[2]

    def ask(self, message: str) -> str:
        """What the command that a message names in backticks answers."""
        _, command, _ = message.split("`")
        kubectl, *arguments = shlex.split(command)
        assert kubectl == "kubectl"
        return self.control_plane.kubectl(*arguments).stdout

    def job(self, name: str) -> Manifest | None:
        found: Manifest | None = self._get("job", name)
        return found

    def pods(self, name: str) -> list[Manifest]:
        """The pods of a TrainingJob that are not on their way out."""
        found = self._items("pods", "--selector", f"perennial.dev/training-job={name}")
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def workload(self, name: str) -> Manifest | None:
        """What Kueue holds of a TrainingJob's Job, whether or not the Job is still there."""
        return next((w for w in self._items("workloads") if w["metadata"]["ownerReferences"][0]["name"] == name), None)

    def used(self) -> str:
        """How much CPU is taken from the quota."""
        status = self._get("clusterqueue", self.namespace)["status"]
        return str(status["flavorsReservation"][0]["resources"][0]["total"])

    def _patch(self, kind: str, name: str, spec: Manifest) -> None:
        self._kubectl("patch", kind, name, "--type=merge", "--patch", json.dumps({"spec": spec}))

    def _items(self, *arguments: str) -> list[Manifest]:
        return (self._get(*arguments) or {"items": []})["items"]

    def _get(self, *arguments: str) -> Any:
        return self.control_plane.get(*arguments, "--namespace", self.namespace)

    def _kubectl(self, *arguments: str, stdin: Any = None) -> None:
        self.control_plane.kubectl(*arguments, "--namespace", self.namespace, stdin=stdin)


def condition(workload: Manifest, type_: str) -> Manifest:
    """A condition of a Workload; empty if it is not there."""
    found = workload.get("status", {}).get("conditions", [])
    return next((c for c in found if c["type"] == type_), {})
