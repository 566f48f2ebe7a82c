"""A Prometheus that accepts and never answers: models that ask it go without readings, and nothing else waits."""

import socket
import time
from pathlib import Path

from perennial_testing.cluster.control_plane import ControlPlane
from perennial_testing.cluster.node import eventually
from perennial_testing.faults.stage import Stage
from perennial_testing.specs.small_manifests import SMALL, Manifest, manifest, merged

WATCHING = 100
# Generous for a busy machine. While reconciles waited for Prometheus, 16 workers needed more than half a minute for a
# round of these models, and a training needs several rounds.
SECONDS = 90


def watching(number: int) -> Manifest:
    """A model with two metrics and a claim that is missing, so that nothing but its triggers has to be looked at."""
    triggers = [{"name": name, "metric": {"query": f"{name}{number}", "above": 0}} for name in ("a", "b")]
    changes = {"data": {"train": [{"uri": "pvc://missing/a.txt"}]}, "retraining": {"triggers": triggers}}
    return manifest("LanguageModel", f"watching-{number}", merged(SMALL["LanguageModel"], changes))


def with_token(folder: Path) -> Path:
    """A configuration of the access to Prometheus."""
    (folder / "token").write_text("s3cret")
    (folder / "prometheus.yaml").write_text("bearerTokenFile: token")
    return folder / "prometheus.yaml"


def missing(stage: Stage) -> list[str | None]:
    """Why each metric of the models has no value, by their status."""
    path = f"/apis/perennial.dev/v1alpha1/namespaces/{stage.namespace}/languagemodels"
    models = [each for each in stage.control_plane.read(path)["items"] if each["metadata"]["name"] != "writer"]
    triggers = [trigger for model in models for trigger in model.get("status", {}).get("triggers", [])]
    return [trigger.get("metric", {}).get("missing") for trigger in triggers]


def test_a_silent_prometheus_delays_no_training(control_plane: ControlPlane, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, Stage(control_plane, tmp_path / "stage", "silent") as stage:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        flags = ("--prometheus-url", f"http://{address}", "--prometheus-config", str(with_token(tmp_path)))
        operator = stage.operator(control_plane, *flags).start()
        models = [watching(number) for number in range(WATCHING)]
        control_plane.kubectl("create", "-n", stage.namespace, "-f", "-", stdin=models)
        story = stage.story()
        stage.node()
        start = time.monotonic()
        story.train(3.0)
        eventually(lambda: story.states() == {1: "Accepted"}, "version 1 is trained", SECONDS)
        stage.recovered(time.monotonic() - start, "until version 1 is trained")
        eventually(lambda: None not in (told := missing(stage)) and len(told) == 2 * WATCHING, "all are told", 60)
        assert set(missing(stage)) == {f"http://{address} did not respond within 5 s"}
        assert "asking it one query every" in operator.log
        assert "s3cret" not in operator.log
