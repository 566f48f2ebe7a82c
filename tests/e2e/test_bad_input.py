"""What a user sees of a mistake: a reason and a sentence that says what to do."""

from collections.abc import Callable
from typing import Any

import pytest
from conftest import SMALL, apply, condition, small_job, small_model, wait_condition
from steps import Kubectl


@pytest.fixture(scope="module")
def kubectl(new_namespace: Callable[[str], Kubectl]) -> Kubectl:
    kubectl = new_namespace("mistakes")
    texts = {"empty.txt": "", "short.txt": "A few characters."}
    apply(kubectl, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "texts"}, "data": texts})
    return kubectl


def data(uri: str) -> dict[str, Any]:
    return {"train": [{"uri": uri}], "validation": {"fraction": 0.1}}


LONG_CONTEXT = {"task": "text-generation", "architecture": SMALL | {"contextLength": 262144}}
MISTAKES = {
    "an empty corpus": ({"data": data("configmap://texts/empty.txt")}, "empty"),
    "a corpus of a few characters": ({"data": data("configmap://texts/short.txt")}, "more data"),
    "a file that is not in the claim": ({"data": data("pvc://models/none.txt")}, "none.txt"),
    "a key that is not in the ConfigMap": ({"data": data("configmap://texts/none.txt")}, "none.txt"),
    "a context longer than the data": ({"model": LONG_CONTEXT}, "context"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_pod_that_can_not_train_says_why_and_is_not_tried_again(kubectl: Kubectl, mistake: str) -> None:
    spec, told = MISTAKES[mistake]
    name = mistake.replace(" ", "-").lower()
    apply(kubectl, small_job(name, **spec))
    failed = wait_condition(kubectl, "trainingjob", name, "Failed", 120)
    assert told in failed["message"].lower(), failed
    assert "Traceback" not in failed["message"]
    assert len(kubectl("get", "pods", "-l", f"perennial.dev/training-job={name}", "-o", "name").split()) == 1


def test_a_missing_claim_is_named_and_its_appearance_lets_the_training_start(kubectl: Kubectl) -> None:
    apply(kubectl, small_model("claimless", storage={"uri": "pvc://nowhere"}))
    stalled = wait_condition(kubectl, "languagemodel", "claimless", "Stalled", 60, reason="InputMissing")
    assert "nowhere" in stalled["message"]
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    head = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "nowhere"}}
    apply(kubectl, head | {"spec": claim})
    wait_condition(kubectl, "languagemodel", "claimless", "Ready", 180)


def test_an_image_that_can_not_be_pulled_is_named(kubectl: Kubectl) -> None:
    training = small_job("x")["spec"]["training"] | {"runtime": {"image": "localhost/none/training:none"}}
    apply(kubectl, small_job("imageless", training=training))
    stalled = wait_condition(kubectl, "trainingjob", "imageless", "Stalled", 60, reason="ImagePullFailed")
    assert "localhost/none/training:none" in stalled["message"]


def test_a_mistake_leaves_other_objects_alone_and_its_correction_recovers(kubectl: Kubectl) -> None:
    apply(kubectl, small_model("mended", data=data("configmap://texts/empty.txt")))
    stalled = wait_condition(kubectl, "languagemodel", "mended", "Stalled", 120, reason="VersionFailed")
    assert "empty" in stalled["message"].lower()
    apply(kubectl, small_model("mended"))
    wait_condition(kubectl, "languagemodel", "mended", "Ready", 240)
    assert condition(kubectl.get("languagemodel", "mended"), "Stalled")["status"] == "False"
