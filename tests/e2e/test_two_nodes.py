"""Two pods that train together, in real pods: what they learn, and what becomes of them when one is taken away."""

from collections.abc import Callable

import pytest

from perennial_testing.pods.manifests import SMALL, small_job
from perennial_testing.pods.waits import apply, wait_condition, wait_for_step
from playground.commands import Kubectl


@pytest.fixture(scope="module")
def kubectl(new_namespace: Callable[[str], Kubectl]) -> Kubectl:
    return new_namespace("nodes")


def job(name: str, nodes: int, steps: int) -> dict:
    made = small_job(name)
    made["spec"]["model"]["architecture"] |= SMALL | {"dropout": 0.0}
    training = made["spec"]["training"]
    training["hyperparameters"] |= {"maxSteps": steps, "batchSize": 8}
    training |= {"checkpoints": {"everySteps": 20, "historyLimit": 2}, "evaluateEverySteps": max(1, steps // 3)}
    training["compute"]["nodes"] = nodes
    del training["earlyStopping"]
    return made


@pytest.mark.long  # two processes are compared with one in tests/unit/training/test_processes.py
def test_two_pods_learn_what_one_learns_with_twice_the_batch(kubectl: Kubectl) -> None:
    apply(kubectl, job("one", 1, 30), job("two", 2, 30))
    losses = {}
    for name in ("one", "two"):
        wait_condition(kubectl, "trainingjob", name, "Complete")
        result = kubectl.get("trainingjob", name)["status"]["result"]
        losses[name] = [result[part]["loss"] for part in ("initialMetrics", "metrics")]
    assert losses["two"] == pytest.approx(losses["one"], rel=1e-4)
    assert losses["one"][1] < losses["one"][0] - 0.5


def test_the_others_go_on_when_one_was_taken_away(kubectl: Kubectl) -> None:
    apply(kubectl, job("spot", 2, 400))
    reached = wait_for_step(kubectl, "spot", 60)
    pods = ("get", "pods", "-l", "perennial.dev/training-job=spot,batch.kubernetes.io/job-completion-index=1")
    kubectl("delete", kubectl(*pods, "-o", "name"), "--grace-period=0", "--force")
    wait_condition(kubectl, "trainingjob", "spot", "Complete")
    log = kubectl("logs", "-l", "perennial.dev/training-job=spot", "--tail=-1")
    assert "going on from checkpoint-" in log
    assert kubectl.get("trainingjob", "spot")["status"]["result"]["steps"] == 400
    assert reached < 400
