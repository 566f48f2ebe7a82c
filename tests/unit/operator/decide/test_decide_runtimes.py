"""Serving runtimes: each is one module, and a new one needs that, a line of the registry and a block of the API."""

import ast
from pathlib import Path
from typing import get_args

import pytest

from perennial.api import deployment
from perennial.decide import deployment as decisions
from perennial.decide.deployment.decide import decide
from perennial.decide.deployment.observed import Observed
from perennial.decide.deployment.queries import queries
from perennial.decide.deployment.runtimes import RUNTIMES
from perennial.decide.deployment.runtimes.runtime import ServingRuntime
from perennial_testing.specs.api_objects import DEFAULTS, DIGEST, NOW, URI, metadata
from perennial_testing.specs.echo_runtime import DeploymentWithEcho, Echo

QUEUE_DEPTH = {"maxReplicas": 2, "metrics": [{"name": "queue-depth", "target": 4}]}


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> DeploymentWithEcho:
    """A Deployment with the runtime; the fixture is the line of the registry."""
    runtime: ServingRuntime = Echo()
    monkeypatch.setitem(RUNTIMES, runtime.name, runtime)
    model = {"name": "writer", "version": 2, "task": "translation", "uri": URI, "digest": DIGEST}
    spec = {"model": model, "runtime": {"name": "echo", "echo": {"text": "hi"}}, "autoscaling": QUEUE_DEPTH}
    return DeploymentWithEcho.model_validate({"metadata": metadata("writer"), "spec": spec})


def test_a_new_runtime_is_served_as_its_module_says(echo: DeploymentWithEcho) -> None:
    outcome = decide(echo, Observed(DEFAULTS), NOW)
    assert [manifest["kind"] for manifest in outcome.apply] == ["Deployment", "Service", "PodDisruptionBudget"]
    pod = outcome.apply[0]["spec"]["template"]["spec"]
    (serve,) = pod["containers"]
    assert (serve["image"], serve["command"]) == ("echo:1", ["echo", "hi"])
    assert serve["ports"] == [{"name": "http", "containerPort": 5678, "protocol": "TCP"}]
    assert serve["readinessProbe"]["httpGet"]["path"] == "/"
    assert pod["initContainers"] == []
    assert [volume["name"] for volume in pod["volumes"]] == ["tmp", "model"]  # neither claim nor Secret of the artifact
    assert outcome.status.url == "http://writer.demo.svc/translation"
    assert queries(echo)["queue-depth"].startswith('sum(echo_queue_length{namespace="demo"')


def test_every_runtime_of_the_api_has_a_module_and_a_block() -> None:
    names = set(get_args(deployment.Runtime.model_fields["name"].annotation))
    assert names == set(RUNTIMES)
    assert names <= set(deployment.Runtime.model_fields)


def test_nothing_outside_its_module_names_a_runtime() -> None:
    room = Path(decisions.__path__[0])
    modules = [path for path in room.rglob("*.py") if path.parent.name != "runtimes"]
    assert len(modules) >= 7
    for path in modules:
        words = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
        assert not words & set(RUNTIMES), path.name
