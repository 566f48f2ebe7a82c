"""The life of one LanguageModel: what its user does to it, and what became of it."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from perennial_testing.cluster.control_plane import CHILDREN, GROUP, VERSION, ControlPlane
from perennial_testing.cluster.node import eventually
from perennial_testing.specs.small_manifests import SMALL, Manifest, manifest, merged

GATE = {"evaluation": {"gates": [{"metric": "loss", "betterThanServed": {"by": 0.05}}]}, "versionHistoryLimit": 2}


def with_loss(loss: float) -> dict[str, Any]:
    """The part of a spec that makes the stand-in for the node end a training with this loss."""
    return {"training": {"hyperparameters": {"seed": round(loss * 10)}}}


class Story:
    """A LanguageModel, what its user does to it, and what became of it."""

    def __init__(self, control_plane: ControlPlane, namespace: str) -> None:
        self.control_plane, self.namespace = control_plane, namespace
        self.spec = merged(SMALL["LanguageModel"], GATE)
        for name in ("corpus", "models"):
            claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
            at = {"name": name, "namespace": namespace}
            document = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": at, "spec": claim}
            control_plane.kubectl("create", "-f", "-", stdin=document)

    def apply(self, **spec: Any) -> None:
        self.spec = merged(self.spec, spec)
        document = manifest("LanguageModel", "writer", self.spec)
        document["metadata"] |= {"labels": {"team": "docs"}, "annotations": {"example.org/owner": "ann"}}
        self.control_plane.kubectl("apply", "-n", self.namespace, "-f", "-", stdin=document)

    def train(self, loss: float) -> None:
        """Asks for a version that will have this loss."""
        self.apply(**with_loss(loss))

    def model(self) -> Manifest:
        return self.control_plane.read(f"/apis/{GROUP}/{VERSION}/namespaces/{self.namespace}/languagemodels/writer")

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.model().get("status", {})
        return status

    def states(self) -> dict[int, str]:
        """The versions whose artifacts are not deleted."""
        versions = self.status().get("versions", [])
        return {v["number"]: v["state"] for v in versions if v.get("artifactState") != "Deleted"}

    def is_ready(self) -> bool:
        """Ready and at rest, as `kubectl wait` and kstatus see it."""
        model = self.model()
        seen = model.get("status", {}).get("observedGeneration") == model["metadata"]["generation"]
        conditions = {c["type"]: c["status"] for c in model.get("status", {}).get("conditions", [])}
        return seen and (conditions["Ready"], conditions["Reconciling"]) == ("True", "False")

    def wait(self, states: dict[int, str], serving: int, seconds: float = 180) -> None:
        def there() -> bool:
            return self.states() == states and self.status().get("servingVersion") == serving and self.is_ready()

        try:
            eventually(there, f"v{serving} of {states}", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}: {json.dumps(self.status(), indent=1)}") from None

    def delete(self, seconds: float = 40) -> None:
        """Deletes the model, and waits until nothing is left of it."""
        self.control_plane.kubectl("delete", "lm", "writer", "-n", self.namespace)
        eventually(lambda: not self.children(), "all children go with their owner", seconds)

    def decisions(self) -> list[str]:
        return [decision["reason"] for decision in self.status()["decisions"]]

    def children(self) -> Counter[str]:
        found = self.control_plane.objects(self.namespace, *CHILDREN)
        return Counter(f"{at['apiVersion']}/{at['kind']} {at['metadata']['name']}" for at in found)


def writes(control_plane: ControlPlane, namespace: str) -> list[dict[str, Any]]:
    """The operator's writes in a namespace, of the audit log."""
    log = Path(control_plane.kubeconfig).parent / "logs" / "audit.log"
    if not log.exists():
        pytest.skip("the cluster keeps no audit log where tools/local_cluster does")
    entries = [json.loads(line) for line in log.read_text().splitlines() if f'"{namespace}"' in line]
    return [
        entry
        for entry in entries
        if entry["verb"] in ("create", "update", "patch", "delete")
        and entry["stage"] == "ResponseComplete"
        and entry.get("userAgent", "").startswith("perennial-operator")
        and entry["objectRef"].get("namespace") == namespace
    ]
