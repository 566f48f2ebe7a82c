"""What a user sees of a mistake: a reason and a sentence that says what to do."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from perennial_testing.pods.manifests import SMALL, small_job, small_model
from perennial_testing.pods.waits import apply, condition, wait_condition
from playground.commands import Kubectl

Spec = dict[str, Any]
TEXTS = {
    "empty.txt": "",
    "short.txt": "A few characters.",
    "bodies.jsonl": json.dumps({"body": "not what is looked for"}),
    "ratings.jsonl": json.dumps({"text": "it was quite good", "label": 4.5}),
    "pairs.jsonl": "\n".join(json.dumps({"source": f"sentence {number}", "target": ""}) for number in range(50)),
    "table.parquet": "text\nthis is CSV",
}


@pytest.fixture(scope="module")
def kubectl(new_namespace: Callable[[str], Kubectl]) -> Kubectl:
    kubectl = new_namespace("mistakes")
    apply(kubectl, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "texts"}, "data": TEXTS})
    return kubectl


def data(uri: str) -> Spec:
    return {"train": [{"uri": uri}], "validation": {"fraction": 0.1}}


def given(key: str, task: str = "text-generation") -> Spec:
    """A model for the task, that is to learn from one of the texts."""
    return {"model": {"task": task, "architecture": SMALL}, "data": data(f"configmap://texts/{key}")}


def trained(**more: Any) -> Spec:
    """The training of a small job, laid over with something; without a second try."""
    training = small_job("x")["spec"]["training"]
    parameters = training["hyperparameters"] | more.pop("hyperparameters", {})
    return {"training": training | {"hyperparameters": parameters, "backoffLimit": 0} | more}


@dataclass(frozen=True)
class Mistake:
    """What is laid over a small TrainingJob, and what its failure says."""

    spec: Spec
    reason: str
    advice: str


MISTAKES = {
    "an empty corpus": Mistake(given("empty.txt"), "EmptyCorpus", "empty"),
    "a corpus of a few characters": Mistake(given("short.txt"), "EmptyValidation", "more data"),
    "a file that is not in the claim": Mistake({"data": data("pvc://models/none.txt")}, "InputNotFound", "none.txt"),
    "a key that is not in the ConfigMap": Mistake(given("none.txt"), "InputNotFound", "none.txt"),
    "a context longer than the data": Mistake(
        {"model": {"task": "text-generation", "architecture": SMALL | {"contextLength": 262144}}},
        reason="ContextLongerThanData",
        advice="context",
    ),
    "a column that is not there": Mistake(given("bodies.jsonl"), "MissingColumn", "there are: body"),
    "labels that are no classes": Mistake(
        given("ratings.jsonl", "sentiment-analysis"),
        reason="BrokenRecord",
        advice="label is not text or a whole number but 4.5",
    ),
    "pairs without a translation": Mistake(
        given("pairs.jsonl", "translation"), reason="EmptyCorpus", advice="always empty: target"
    ),
    "a Parquet that is none": Mistake(given("table.parquet"), "NotParquet", "can't be read as parquet"),
    "steps that are far too long": Mistake(
        trained(hyperparameters={"learningRate": 10, "weightDecay": 1.0, "maxSteps": 500}),
        reason="NonFiniteLoss",
        advice="try a smaller learningrate",
    ),
    "less memory than it takes": Mistake(
        trained(compute={"resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "150Mi"}}}),
        reason="OutOfMemory",
        advice="raise resources.limits.memory",
    ),
    "more disk than it may use": Mistake(
        trained(
            hyperparameters={"maxSteps": 100000},
            earlyStopping=None,
            compute={"resources": {"requests": {"cpu": "100m"}, "limits": {"ephemeral-storage": "100Ki"}}},
        ),
        reason="Evicted",
        advice="raise the limit or request that it names",
    ),
}
# What only a pod shows, and soon: a kubelet measures disks once a minute. That the program refuses the others is tested
# without a pod. They are in `make test-long`.
BRIEF = (
    "an empty corpus",
    "a file that is not in the claim",
    "a key that is not in the ConfigMap",
    "less memory than it takes",
)
AT_ONCE = 3


def make(kubectl: Kubectl, mistake: str) -> str:
    """Creates the TrainingJob with this mistake, if it is not there yet; returns its name."""
    name = mistake.replace(" ", "-").lower()
    if not kubectl.get("trainingjob", name):
        apply(kubectl, small_job(name, **MISTAKES[mistake].spec))
    return name


@pytest.mark.parametrize(
    "mistake", [pytest.param(name, marks=[] if name in BRIEF else [pytest.mark.long]) for name in MISTAKES]
)
def test_a_pod_that_can_not_train_says_why_and_is_not_tried_again(
    kubectl: Kubectl, mistake: str, chosen: list[str]
) -> None:
    name, case = make(kubectl, mistake), MISTAKES[mistake]
    index = chosen.index(mistake)
    for other in chosen[index + 1 : index + AT_ONCE]:
        make(kubectl, other)
    failed = wait_condition(kubectl, "trainingjob", name, "Failed", reason=case.reason)
    assert case.advice in failed["message"].lower(), failed
    assert "Traceback" not in failed["message"]
    assert len(kubectl("get", "pods", "-l", f"perennial.dev/training-job={name}", "-o", "name").split()) == 1


def test_a_gpu_that_no_node_has_is_named(kubectl: Kubectl) -> None:
    apply(kubectl, small_job("on-gpus", **trained(compute={"gpusPerNode": 2})))
    ready = kubectl.wait_for("it to be unschedulable", 300, lambda: unschedulable(kubectl, "on-gpus"))
    assert "nvidia.com/gpu" in ready["message"]


def unschedulable(kubectl: Kubectl, name: str) -> dict[str, str] | None:
    ready = condition(kubectl.get("trainingjob", name), "Ready")
    return ready if ready.get("reason") == "Unschedulable" else None


def test_a_missing_claim_is_named_and_its_appearance_lets_the_training_start(kubectl: Kubectl) -> None:
    apply(kubectl, small_model("claimless", storage={"uri": "pvc://nowhere"}))
    stalled = wait_condition(kubectl, "languagemodel", "claimless", "Stalled", reason="InputMissing")
    assert "nowhere" in stalled["message"]
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    head = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "nowhere"}}
    apply(kubectl, head | {"spec": claim})
    wait_condition(kubectl, "languagemodel", "claimless", "Ready")


def test_an_image_that_can_not_be_pulled_is_named(kubectl: Kubectl) -> None:
    training = small_job("x")["spec"]["training"] | {"runtime": {"image": "localhost/none/training:none"}}
    apply(kubectl, small_job("imageless", training=training))
    stalled = wait_condition(kubectl, "trainingjob", "imageless", "Stalled", reason="ImagePullFailed")
    assert "localhost/none/training:none" in stalled["message"]


def test_a_mistake_leaves_other_objects_alone_and_its_correction_recovers(kubectl: Kubectl) -> None:
    apply(kubectl, small_model("mended", data=data("configmap://texts/empty.txt")))
    stalled = wait_condition(kubectl, "languagemodel", "mended", "Stalled", reason="VersionFailed")
    assert "empty" in stalled["message"].lower()
    apply(kubectl, small_model("mended"))
    wait_condition(kubectl, "languagemodel", "mended", "Ready")
    assert condition(kubectl.get("languagemodel", "mended"), "Stalled")["status"] == "False"
