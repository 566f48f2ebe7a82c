"""Trainings in real pods that are disturbed."""

import time
from collections.abc import Callable, Iterator

import pytest

from perennial_testing.cluster.admission import policy
from perennial_testing.pods.manifests import small_job
from perennial_testing.pods.waits import apply, condition, wait_condition, wait_for_step
from playground.commands import Kubectl


@pytest.fixture(scope="module")
def kubectl(new_namespace: Callable[[str], Kubectl]) -> Kubectl:
    return new_namespace("training")


STEPS = 800
OUTLIVED = "outlived"


def sidecar() -> dict:
    """What a mesh does: adds a container to the training's pod, which never ends by itself."""
    container = """Object.spec.containers{
        name: "mesh-proxy", image: object.spec.containers[0].image,
        command: ["sh", "-c", "trap exit TERM; sleep 100000 & wait"],
        securityContext: Object.spec.containers.securityContext{
            allowPrivilegeEscalation: false,
            capabilities: Object.spec.containers.securityContext.capabilities{drop: ["ALL"]}}}"""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    pods = {"objectSelector": {"matchLabels": {"perennial.dev/training-job": OUTLIVED}}, "resourceRules": [rule]}
    patch = f'[JSONPatch{{op: "add", path: "/spec/containers/-", value: {container}}}]'
    return {"matchConstraints": pods, "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": patch}}]}


@pytest.fixture(scope="module")
def beside_a_sidecar(kubectl: Kubectl) -> Iterator[None]:
    """Begins before the other trainings, as it waits for half a minute after its end."""
    with policy(kubectl, kubectl.namespace, sidecar()):
        time.sleep(3)  # until the API server knows the policy
        apply(kubectl, small_job(OUTLIVED))
        yield


def long_job(name: str) -> dict:
    """A training that leaves a checkpoint every second or so, for ten seconds and more."""
    job = small_job(name)
    job["spec"]["training"]["hyperparameters"]["maxSteps"] = STEPS
    job["spec"]["training"]["checkpoints"] = {"everySteps": 50, "historyLimit": 2}
    job["spec"]["training"]["evaluateEverySteps"] = STEPS // 3
    del job["spec"]["training"]["earlyStopping"]
    return job


# One that is asked to end is suspended below, which is the same for the pod.
@pytest.mark.usefixtures("beside_a_sidecar")
@pytest.mark.parametrize(
    "grace", [pytest.param(0, id="killed"), pytest.param(30, id="asked to end", marks=pytest.mark.long)]
)
def test_a_training_whose_pod_is_gone_goes_on_from_the_last_checkpoint(kubectl: Kubectl, grace: int) -> None:
    name = f"resumed-{grace}"
    apply(kubectl, long_job(name))
    reached = wait_for_step(kubectl, name, 150)
    pod = kubectl("get", "pods", "-l", f"perennial.dev/training-job={name}", "-o", "name")
    kubectl("delete", pod, f"--grace-period={grace}", *(["--force"] if not grace else []))
    wait_condition(kubectl, "trainingjob", name, "Complete")
    log = kubectl("logs", "-l", f"perennial.dev/training-job={name}", "--tail=-1")
    steps = [int(part.split(",")[0]) for part in log.split('"step": ')[1:] or log.split('"step":')[1:]]
    assert min(steps) >= reached - 100, "it began anew"
    assert kubectl.get("trainingjob", name)["status"]["result"]["steps"] == STEPS


def test_a_suspended_training_stops_and_goes_on(kubectl: Kubectl) -> None:
    apply(kubectl, long_job("suspended"))
    wait_for_step(kubectl, "suspended", 100)
    kubectl("patch", "trainingjob", "suspended", "--type=merge", "-p", '{"spec":{"suspend":true}}')
    wait_condition(kubectl, "trainingjob", "suspended", "Suspended")
    pods = ("get", "pods", "-l", "perennial.dev/training-job=suspended", "-o", "name")
    kubectl.wait_for("the pod to end", 300, lambda: not kubectl(*pods))
    kubectl("patch", "trainingjob", "suspended", "--type=merge", "-p", '{"spec":{"suspend":false}}')
    wait_condition(kubectl, "trainingjob", "suspended", "Complete")


def test_progress_shows_in_kubectl_get(kubectl: Kubectl) -> None:
    apply(kubectl, long_job("shown"))
    wait_for_step(kubectl, "shown", 100)
    head, row = kubectl("get", "trainingjob", "shown").splitlines()
    for column in ("STATE", "STEP", "LOSS", "TOKENS/S", "ETA"):
        assert column in head
    assert "Running" in row
    kubectl("delete", "trainingjob", "shown")
    kubectl.wait_for("its Job to go", 300, lambda: not kubectl.get("job", "shown"))
    time.sleep(2)
    assert not condition(kubectl.get("trainingjob", "shown"), "Ready")


@pytest.mark.usefixtures("beside_a_sidecar")
def test_a_training_counts_though_a_sidecar_outlives_it(kubectl: Kubectl) -> None:
    wait_condition(kubectl, "trainingjob", OUTLIVED, "Complete")
    status = kubectl.get("trainingjob", OUTLIVED)["status"]
    assert status["result"]["artifact"]["uri"] == f"pvc://models/{OUTLIVED}"
    assert status["progress"]["step"] == status["result"]["steps"]
    kubectl.wait_for("its Job to go with the sidecar", 120, lambda: not kubectl.get("job", OUTLIVED))
    assert not kubectl("get", "pods", "-l", f"perennial.dev/training-job={OUTLIVED}", "-o", "name")
