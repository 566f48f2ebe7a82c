"""Programs in other frameworks, trained in real pods, and what TensorFlow learned answers from one."""

import json
import subprocess
import sys
from collections.abc import Callable

import pytest
import yaml

from perennial_testing.cluster.control_plane import ROOT
from perennial_testing.pods.waits import wait_condition
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


@pytest.mark.parametrize("framework", ["pytorch", "tensorflow"])
def test_a_program_of_ones_own_trains(kubectl: Kubectl, framework: str) -> None:
    kubectl("apply", "-f", str(RUNTIMES / framework / "sentiment.yaml"))
    wait_condition(kubectl, "trainingjob", f"sentiment-{framework}", "Complete")
    status = kubectl.get("trainingjob", f"sentiment-{framework}")["status"]
    assert status["progress"]["step"] > 0
    assert status["result"]["artifact"]["digest"].startswith("sha256:")
    assert status["result"]["metrics"]["accuracy"] > 0.65  # half of the reviews are positive
    print(framework, status["result"]["metrics"])


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
