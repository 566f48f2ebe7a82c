"""What a real MLflow server is told of a job, and that a training doesn't mind if it isn't there."""

import json
import math
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from safetensors.torch import load_file, save_file

from perennial_contract import manifest
from perennial_contract.exits import TERMINATED
from perennial_testing.servers.mlflow_server import MlflowServer
from perennial_training.telemetry import tracking


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    found = MlflowServer(tmp_path_factory.mktemp("mlflow"))
    found.start()
    yield found
    found.stop()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "LAST_WAIT_SECONDS", 6.0)


def track(pod, uri: str, uid: str, **more) -> None:
    pod.job["training"]["tracking"] = {"mlflow": {"uri": uri} | more}
    pod.job["job"]["uid"] = uid
    pod.job["output"] = {"uri": f"pvc://models/tiny/{uid}"}


def run_of(server: MlflowServer, uid: str, experiment: str = "demo/tiny"):
    from mlflow.tracking import MlflowClient  # takes 10 s, which no other worker needs

    client = MlflowClient(server.uri)
    found = client.get_experiment_by_name(experiment)
    (run,) = client.search_runs([found.experiment_id], f"tags.`{tracking.UID_TAG}` = '{uid}'")
    return client, run


def test_a_run_holds_parameters_metrics_and_reports(pod, server):
    track(pod, server.uri, "whole", registeredModel="writer", alias="candidate")
    pod.job["data"]["train"] *= 32  # more parameters than MLflow takes at once
    ended = pod.run()
    assert ended.code == 0, ended.output
    told = ended.message["tracking"]
    client, run = run_of(server, "whole")
    assert told["state"] == "Complete"
    assert told["url"].endswith(run.info.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["training.hyperparameters.learningRate"] == "0.01"
    assert run.data.params["data.train.31.uri"] == "pvc://corpus/train.txt"
    history = client.get_metric_history(run.info.run_id, "validation_loss")
    assert sorted((entry.step, entry.value) for entry in history) == ended.curve
    assert run.data.metrics["final_perplexity"] == ended.message["metrics"]["perplexity"]
    assert run.data.tags["artifact_digest"] == ended.message["artifact"]["digest"]
    shown = {found.path for found in client.list_artifacts(run.info.run_id)}
    assert shown == {"README.md", "perennial.json", "explanation"}
    version = client.get_model_version_by_alias("writer", "candidate")
    assert (version.source, version.run_id) == (ended.message["artifact"]["uri"], run.info.run_id)
    assert version.tags["digest"] == ended.message["artifact"]["digest"]


def test_a_job_that_is_killed_goes_on_in_its_run(pod, server):
    track(pod, server.uri, "killed", experiment="ours")
    pod.job["training"]["hyperparameters"]["maxSteps"] = 800
    pod.job["training"] |= {"evaluateEverySteps": 100, "checkpoints": {"everySteps": 100, "historyLimit": 1}}
    process = pod.start()
    for line in process.stdout:
        if '"step"' in line and json.loads(line)["step"] >= 100:
            process.terminate()
    assert process.wait() == TERMINATED
    assert run_of(server, "killed", "ours")[1].info.status == "KILLED"
    ended = pod.run()
    assert ended.message["tracking"]["state"] == "Complete"
    client, run = run_of(server, "killed", "ours")
    assert run.info.status == "FINISHED"
    assert max(entry.step for entry in client.get_metric_history(run.info.run_id, "validation_loss")) == 800


def test_a_failed_job_is_a_failed_run(pod, server):
    assert pod.run().code == 0
    base = pod.claims / "models" / "broken"
    shutil.copytree(pod.output, base, ignore=shutil.ignore_patterns(manifest.NAME))
    weights = load_file(base / "model.safetensors")
    save_file(
        {name: weight * math.nan for name, weight in weights.items()}, base / "model.safetensors", {"format": "pt"}
    )
    pod.job["model"] = {"pretrained": {"uri": "pvc://models/broken"}}
    track(pod, server.uri, "failed")
    assert pod.run().message["reason"] == "NonFiniteLoss"
    assert run_of(server, "failed")[1].info.status == "FAILED"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.usefixtures("impatient")
def test_a_server_that_is_not_there_stops_nothing(pod):
    track(pod, f"http://127.0.0.1:{free_port()}", "alone")
    ended = pod.run()
    assert ended.code == 0, ended.output
    assert ended.message["tracking"]["state"] == "Incomplete"
    assert ended.output.count("MLflow can't be reached") == 1
    assert ended.message["artifact"]["digest"]


@contextmanager
def silence() -> Iterator[str]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    taken.append(listener.accept()[0])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        for connection in taken:
            connection.close()


@pytest.mark.usefixtures("impatient")
def test_a_server_that_never_answers_costs_but_the_last_wait(pod):
    with silence() as uri:
        track(pod, uri, "silent")
        began = time.monotonic()
        ended = pod.run()
        assert ended.code == 0, ended.output
        assert ended.message["tracking"]["state"] == "Incomplete"
        assert time.monotonic() - began < 120  # it would else wait for ever; most of this is the training


def test_a_server_that_comes_late_is_told_all(pod, server, monkeypatch):
    monkeypatch.setattr(tracking, "LAST_WAIT_SECONDS", 120.0)  # MLflow needs its time to start
    track(pod, server.uri, "late")
    pod.job["training"]["hyperparameters"]["maxSteps"] = 400
    pod.job["training"] |= {"evaluateEverySteps": 100, "checkpoints": {"everySteps": 200, "historyLimit": 1}}
    server.stop()
    starter = threading.Timer(3, server.start)
    starter.start()
    try:
        ended = pod.run()
    finally:
        starter.join()
    assert ended.code == 0, ended.output
    assert ended.message["tracking"]["state"] == "Complete", ended.output
    assert "MLflow is reachable again" in ended.output
    client, run = run_of(server, "late")
    history = client.get_metric_history(run.info.run_id, "validation_loss")
    assert sorted((entry.step, entry.value) for entry in history) == ended.curve
