"""Programs in other frameworks, trained in real pods: a job, a LanguageModel, and what TensorFlow learned answers."""

import json
import subprocess
import sys
from collections.abc import Callable

import pytest
import yaml

from perennial_testing.cluster.control_plane import ROOT
from perennial_testing.pods.waits import apply, wait_condition
from playground import language_models as lm
from playground.clusters import Chosen
from playground.commands import Kubectl

RUNTIMES = ROOT / "examples/runtimes"


@pytest.fixture(scope="module")
def kubectl(playground: Chosen, new_namespace: Callable[[str], Kubectl]) -> Kubectl:
    """A namespace with the reviews in it; the cluster has the images of both examples."""
    if playground.kind != "local":
        pytest.skip("the images of the examples are loaded into a local cluster only")
    tools = ROOT / "tools"
    names = ["example-pytorch", "example-tensorflow"]
    built = subprocess.run(
        [sys.executable, tools / "build_images", "build", *names], check=True, stdout=subprocess.PIPE, text=True
    )
    command = [sys.executable, tools / "local_cluster", "load-image", "--name", playground.name, *built.stdout.split()]
    subprocess.run(command, check=True)
    client = new_namespace("runtimes")
    reviews = subprocess.run([sys.executable, ROOT / "examples/data/reviews.py"], check=True, stdout=subprocess.PIPE)
    manifest = {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "reviews"},
        "data": {"reviews.jsonl": reviews.stdout.decode()},
    }  # fmt: skip
    client("apply", "--server-side", "-f", "-", stdin=json.dumps(manifest))
    return client


# That in PyTorch is a LanguageModel's, too, in the next test.
@pytest.mark.parametrize("framework", [pytest.param("pytorch", marks=pytest.mark.long), "tensorflow"])
def test_a_program_of_ones_own_trains(kubectl: Kubectl, framework: str) -> None:
    kubectl("apply", "-f", str(RUNTIMES / framework / "sentiment.yaml"))
    wait_condition(kubectl, "trainingjob", f"sentiment-{framework}", "Complete")
    status = kubectl.get("trainingjob", f"sentiment-{framework}")["status"]
    assert status["progress"]["step"] > 0
    assert status["result"]["artifact"]["digest"].startswith("sha256:")
    assert status["result"]["metrics"]["accuracy"] > 0.65  # half of the reviews are positive
    print(framework, status["result"]["metrics"])


def test_a_version_of_a_program_of_ones_own_is_better_than_the_served_one(kubectl: Kubectl) -> None:
    """The program judges the served version and tells of it: without that, no version after the first would pass."""
    _, job = yaml.safe_load_all((RUNTIMES / "pytorch/sentiment.yaml").read_text())
    training = job["spec"]["training"] | {"hyperparameters": {"maxSteps": 2, "batchSize": 32, "learningRate": 5.0e-3}}
    spec = {
        "model": job["spec"]["model"],
        "data": job["spec"]["data"],
        "training": training,
        "evaluation": {"gates": [{"metric": "loss", "betterThanServed": {"by": 0.1}}]},
        "storage": {"uri": "pvc://models"},
        "deployment": {"replicas": 0},  # what is served is what was promoted; here nobody asks it
    }
    apply(kubectl, job | {"kind": "LanguageModel", "metadata": {"name": "reviewer"}, "spec": spec})
    first = lm.follow(kubectl, "reviewer", 1)
    kubectl.wait_for("v1 to be served", 60, lambda: serving(kubectl, "reviewer") == 1)
    lm.train(kubectl, "reviewer", {"maxSteps": 60})
    second = lm.follow(kubectl, "reviewer", 2)
    assert second["comparison"] == {"version": 1, "metrics": first["metrics"]}  # the same weights and held-out texts
    assert second["passedGates"], second
    kubectl.wait_for("v2 to be served", 60, lambda: serving(kubectl, "reviewer") == 2)


def serving(kubectl: Kubectl, model: str) -> int | None:
    number: int | None = kubectl.get("languagemodel", model)["status"].get("servingVersion")
    return number


def test_what_tensorflow_learned_answers(kubectl: Kubectl) -> None:
    for manifest in yaml.safe_load_all((RUNTIMES / "tensorflow/service.yaml").read_text()):
        kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
    kubectl("rollout", "status", "deployment/sentiment-tensorflow", "--timeout=300s")
    asked = json.dumps({"inputs": ["this lamp is superb, and it is blue", "this lamp is awful, and it is blue"]})
    script = (
        "import json, urllib.request as r; "
        f"print(r.urlopen(r.Request('http://127.0.0.1:8000/', data={asked!r}.encode(), "
        "headers={'content-type': 'application/json'})).read().decode())"
    )
    answer = json.loads(kubectl("exec", "deployment/sentiment-tensorflow", "--", "python", "-c", script))
    assert [max(found, key=lambda entry: entry["score"])["label"] for found in answer] == ["positive", "negative"]
