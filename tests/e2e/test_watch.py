"""The operator asks a real Prometheus: load grows and shrinks the replicas, a metric starts a retraining."""

from collections.abc import Callable

import pytest

from perennial_testing.pods.manifests import small_model
from perennial_testing.pods.waits import apply
from playground import demo
from playground import language_models as lm
from playground.clusters import Chosen
from playground.commands import Kubectl

MODEL = "watched"
SCALING = {
    "runtime": {"transformers": {"maxBatchSize": 1}, "resources": {"requests": {"cpu": "100m", "memory": "500Mi"}}},
    "autoscaling": {
        "minReplicas": 1,
        "maxReplicas": 2,
        "metrics": [{"name": "queue-depth", "target": 4}],
        "scaleDownStabilization": "30s",
    },
}
TRIGGER = {"name": "rejected", "metric": {"query": demo.PUSHED, "above": 0.2, "for": "5s"}}


@pytest.fixture(scope="module")
def kubectl(new_namespace: Callable[[str], Kubectl]) -> Kubectl:
    kubectl = new_namespace("watch")
    apply(kubectl, small_model(MODEL, deployment=SCALING, retraining={"triggers": [TRIGGER], "cooldown": "1h"}))
    lm.follow(kubectl, MODEL, 1)
    lm.wait_ready(kubectl, MODEL, 1)
    return kubectl


def replicas(kubectl: Kubectl) -> int:
    return kubectl.get("deployments.apps", MODEL).get("status", {}).get("readyReplicas", 0)


def test_load_grows_the_replicas_and_its_end_shrinks_them(kubectl: Kubectl) -> None:
    image = lm.image_of(kubectl, MODEL)
    lm.start_client(kubectl, "load", image, MODEL, "--clients=16", "--seconds=60", "--max-tokens=50")
    kubectl.wait_for("two replicas", 300, lambda: replicas(kubectl) == 2)
    assert lm.client_result(kubectl, "load")["failed"] == 0
    kubectl.wait_for("one replica", 360, lambda: replicas(kubectl) == 1)
    reasons = [entry["reason"] for entry in kubectl.get("deployments.perennial.dev", MODEL)["status"]["decisions"]]
    assert reasons == ["ScaledUp", "ScaledDown"]


def test_a_metric_out_of_bounds_starts_one_retraining_and_the_cooldown_holds_the_next(
    kubectl: Kubectl, playground: Chosen
) -> None:
    demo.push(playground, 0.4)
    try:
        kubectl.wait_for("version 2", 300, lambda: lm.version(kubectl, MODEL, 2))
        assert lm.version(kubectl, MODEL, 2)["trigger"] == "rejected"
        lm.follow(kubectl, MODEL, 2)

        def held() -> dict | None:
            found = kubectl.get("languagemodel", MODEL)["status"]["decisions"][-1]
            return found if found["reason"] == "RetrainingHeld" else None

        decision = kubectl.wait_for("the next one to be held", 300, held)
        assert "cooldown of 1h until" in decision["outcome"]
        assert kubectl.get("languagemodel", MODEL)["status"]["lastVersion"] == 2
    finally:
        demo.push(playground, 0.0)
