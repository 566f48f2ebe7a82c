"""The tests in real pods share one playground: a cluster with Perennial, Prometheus and a Pushgateway in it."""

import copy
import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools/playground"))

import cluster_choice  # noqa: E402
import model as lm  # noqa: E402
from steps import Kubectl  # noqa: E402

NAME = "test-e2e"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--keep-playground", action="store_true", help="leave the cluster up after the tests in real pods")


@pytest.fixture(scope="session")
def playground(request: pytest.FixtureRequest) -> Iterator[cluster_choice.Chosen]:
    """Brings the playground up, with the code as it is; what it prints is shown, since it takes minutes."""
    subprocess.run([sys.executable, ROOT / "tools/playground", "up", "--name", NAME], check=True)
    yield cluster_choice.find(NAME)
    if not request.config.getoption("--keep-playground"):
        subprocess.run([sys.executable, ROOT / "tools/playground", "down", "--name", NAME], check=True)


@pytest.fixture(scope="session")
def new_namespace(playground: cluster_choice.Chosen) -> Callable[[str], Kubectl]:
    """Makes a namespace with the corpus in it, and yields a client of it."""
    numbers = itertools.count(1)

    def make(stem: str) -> Kubectl:
        kubectl = playground.client(f"{stem}-{next(numbers)}")
        lm.prepare(kubectl, kubectl.namespace)
        kubectl("apply", "-f", "-", stdin=json.dumps(CLAIM))
        return kubectl

    return make


CLAIM, DOCS_WRITER = yaml.safe_load_all((ROOT / "examples/docs-writer.yaml").read_text())
SMALL = {"layers": 2, "hiddenSize": 64, "heads": 2, "contextLength": 64, "vocabularySize": 512, "dropout": 0.0}

# Changes of the hyperparameters below that make a better and a worse version.
BETTER = {"maxSteps": 160}
WORSE = {"maxSteps": 30, "learningRate": 0.00001}


def small_model(name: str = "small", **spec: Any) -> dict[str, Any]:
    """The demo's LanguageModel, but one that trains in seconds, does not scale and is not retrained."""
    manifest = copy.deepcopy(DOCS_WRITER)
    manifest["metadata"]["name"] = name
    manifest["spec"]["model"]["architecture"] |= SMALL
    manifest["spec"]["training"]["hyperparameters"] |= {"maxSteps": 30, "batchSize": 8, "learningRate": 0.003}
    manifest["spec"]["training"]["compute"] = {"resources": {"requests": {"cpu": "100m", "memory": "500Mi"}}}
    manifest["spec"]["deployment"] = {"runtime": {"resources": {"requests": {"cpu": "100m", "memory": "500Mi"}}}}
    del manifest["spec"]["retraining"]
    manifest["spec"] |= spec
    return manifest


def small_job(name: str, **spec: Any) -> dict[str, Any]:
    """A TrainingJob of the same size."""
    model = small_model()["spec"]
    parts = {key: model[key] for key in ("model", "data", "training")}
    storage = {"uri": f"pvc://models/{name}"}
    head = {"apiVersion": "perennial.dev/v1alpha1", "kind": "TrainingJob", "metadata": {"name": name}}
    return head | {"spec": parts | {"storage": storage} | spec}


def apply(kubectl: Kubectl, *manifests: dict[str, Any]) -> None:
    for manifest in manifests:
        kubectl("apply", "-f", "-", stdin=json.dumps(manifest))


def condition(found: dict[str, Any], type_: str) -> dict[str, Any]:
    """The condition of this type, or an empty dict."""
    return next((c for c in found.get("status", {}).get("conditions", []) if c["type"] == type_), {})


@contextmanager
def service_url(kubectl: Kubectl, name: str) -> Iterator[str]:
    """The URL of a model's Service, by a port-forward."""
    command = [*kubectl.command, "port-forward", f"service/{name}", ":80"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            port = process.stdout.readline().split("127.0.0.1:")[1].split()[0]
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def wait_condition(
    kubectl: Kubectl, kind: str, name: str, type_: str, limit: int = 180, reason: str | None = None
) -> dict[str, Any]:
    """Waits until the condition is true (with this reason, if given); returns it."""

    def check() -> dict[str, Any] | None:
        found = condition(kubectl.get(kind, name), type_)
        true = found.get("status") == "True" and reason in (None, found.get("reason"))
        return found if true else None

    return kubectl.wait_for(f"{kind}/{name}: {type_} {reason or ''}", limit, check)


def wait_for_step(kubectl: Kubectl, name: str, step: int) -> int:
    """Waits until the training has come to this step; returns the one that it is at."""

    def reached() -> int | None:
        done = kubectl.get("trainingjob", name).get("status", {}).get("progress", {}).get("step", 0)
        return done if done >= step else None

    return kubectl.wait_for(f"step {step} of {name}", 180, reached, every=0.5)
