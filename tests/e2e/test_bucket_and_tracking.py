"""In real pods: data, versions and the served model in a real S3 server, told to a real MLflow, and who may not."""

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from perennial_testing.cluster.control_plane import ROOT
from perennial_testing.pods.manifests import small_job, small_model
from perennial_testing.pods.waits import apply, condition, wait_condition
from perennial_testing.servers import s3_server
from perennial_testing.servers.mlflow_server import MlflowServer
from perennial_testing.servers.s3_server import S3Server, User
from playground.clusters import Chosen
from playground.commands import Kubectl

BUCKET = "language-models"


@pytest.fixture(scope="module")
def host(playground: Chosen) -> str:
    """The address of this machine at which pods of a local cluster find its programs."""
    config = yaml.safe_load(Path(playground.kubeconfig).read_text())
    server = urlsplit(config["clusters"][0]["cluster"]["server"])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((server.hostname, server.port))
        address = str(probe.getsockname()[0])
    if playground.kind != "local":
        pytest.skip("only of a local cluster is it known how pods reach programs of this machine")
    return address


@pytest.fixture(scope="module")
def s3(host: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server.running(tmp_path_factory.mktemp("s3"), host=host) as server:
        text = subprocess.run([sys.executable, ROOT / "examples/data/reference.py"], check=True, stdout=subprocess.PIPE)
        server.bucket(BUCKET)
        server.put(BUCKET, "texts/corpus.txt", text.stdout)
        yield server


@pytest.fixture(scope="module")
def mlflow(host: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    server = MlflowServer(tmp_path_factory.mktemp("mlflow"), host)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def kubectl(new_namespace: Callable[[str], Kubectl], s3: S3Server) -> Kubectl:
    """A namespace with the Secrets of one who may do all, and of one who may do nothing."""
    client = new_namespace("bucket")
    apply(client, secret(s3, "storage", s3.root), secret(s3, "powerless", s3.user("nobody")))
    return client


def secret(server: S3Server, name: str, user: User) -> dict:
    values = {"AWS_ACCESS_KEY_ID": user.key, "AWS_SECRET_ACCESS_KEY": user.word, "AWS_ENDPOINT_URL": server.endpoint}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}


def of_bucket(path: str, name: str = "storage") -> dict:
    return {"uri": f"s3://{BUCKET}/{path}", "credentials": {"secretName": name}}


def test_a_model_lives_in_a_bucket(kubectl: Kubectl, s3: S3Server, mlflow: MlflowServer) -> None:
    from mlflow.tracking import MlflowClient  # takes 10 s, which no other worker needs

    model = small_model("remote", storage=of_bucket("models"))
    model["spec"]["data"]["train"] = [of_bucket("texts/")]
    registered = {"registeredModel": "remote", "alias": "candidate"}
    model["spec"]["training"]["tracking"] = {"mlflow": {"uri": mlflow.uri} | registered}
    apply(kubectl, model)
    wait_condition(kubectl, "languagemodel", "remote", "Ready")
    (version,) = kubectl.get("languagemodel", "remote")["status"]["versions"]
    folder = version["artifact"]["uri"].removeprefix(f"s3://{BUCKET}/")
    kept = {key.removeprefix(f"{folder}/") for key in s3.keys(BUCKET, "models/")}
    assert {"model.safetensors", "perennial.json", "README.md", "explanation/index.html"} <= kept
    assert not any(".partial" in key for key in kept)
    result = kubectl.get("trainingjob", "remote-v1")["status"]["result"]
    assert result["tracking"]["state"] == "Complete"
    client = MlflowClient(mlflow.uri)
    told = client.get_model_version_by_alias("remote", "candidate")
    assert (told.source, told.tags["digest"]) == (version["artifact"]["uri"], version["artifact"]["digest"])
    assert client.get_run(told.run_id).data.metrics["final_loss"] == version["metrics"]["loss"]
    assert nobody_tells(kubectl, s3.root.word)


def test_one_who_may_not_read_is_told_so(kubectl: Kubectl) -> None:
    data = {"train": [of_bucket("texts/corpus.txt", "powerless")], "validation": {"fraction": 0.1}}
    apply(kubectl, small_job("unread", data=data))
    failed = wait_condition(kubectl, "trainingjob", "unread", "Failed", reason="AccessDenied")
    assert BUCKET in failed["message"]


def test_one_who_may_not_write_is_told_so_before_anything_is_trained(kubectl: Kubectl) -> None:
    apply(kubectl, small_job("unwritten", output=of_bucket("models/unwritten", "powerless")))
    wait_condition(kubectl, "trainingjob", "unwritten", "Failed", reason="AccessDenied")
    assert "progress" not in kubectl.get("trainingjob", "unwritten")["status"]


def test_a_secret_that_is_not_there_is_named(kubectl: Kubectl) -> None:
    apply(kubectl, small_job("secretless", output=of_bucket("models/secretless", "nowhere")))
    wait_condition(kubectl, "trainingjob", "secretless", "Stalled", reason="VolumesNotMounted")
    assert 'Secret "nowhere"' in condition(kubectl.get("trainingjob", "secretless"), "Ready")["message"]


def nobody_tells(kubectl: Kubectl, word: str) -> bool:
    """Whether neither an object, but for Secrets, nor a log holds the word."""
    kinds = "languagemodels,trainingjobs,deployments.perennial.dev,configmaps,jobs,deployments.apps,pods,events"
    shown = kubectl("get", kinds, "-o", "json")
    names = [item["metadata"]["name"] for item in json.loads(shown)["items"] if item["kind"] == "Pod"]
    logs = [kubectl("logs", name, "--all-containers", check=False) for name in names]
    assert any("artifact" in log for log in logs)
    return word not in shown + "".join(logs)
