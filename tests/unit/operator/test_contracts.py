"""What the operator hands to its pods is what they accept."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perennial.api import LanguageModel, ModelDeployment, TrainingJob
from perennial.api.language_model import Version
from perennial.decide.defaults import Defaults
from perennial.decide.deployment.decide import decide as decide_deployment
from perennial.decide.deployment.observed import Observed as ObservedDeployment
from perennial.decide.kube import Termination
from perennial.decide.language_model.cleanup import cleanup
from perennial.decide.pods.diagnosis import Trouble, failure_of
from perennial.decide.training_job.configuration import config_map
from perennial.decide.training_job.observed import locations
from perennial_contract import exits, uri
from perennial_contract.job import Fields, Job
from perennial_contract.tasks import METRICS, TASKS
from perennial_serving.__main__ import _parser as serving_parser
from perennial_testing.specs.schemas import specs

DEFAULTS = Defaults("training:1", "serving:1")
METADATA = {"name": "writer-v1", "namespace": "demo", "uid": "0f0e0d0c-1111-2222-3333-444444444444"}
ARCHITECTURE = {
    "family": "transformer", "layers": 1, "hiddenSize": 8, "heads": 1, "contextLength": 8, "vocabularySize": 272,
    "dropout": 0.0,
}  # fmt: skip
BASE = {"version": 3, "uri": "s3://models/base/v3", "digest": "sha256:" + "ab" * 32}
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PATIENT = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@PATIENT
@given(data=st.data())
def test_every_job_configuration_is_valid_to_the_training_package(data: st.DataObject) -> None:
    spec = data.draw(specs(TrainingJob))
    status = {"base": BASE} if "languageModelRef" in spec["model"] else {}  # before that is known, no pod is started
    job = TrainingJob.model_validate({"metadata": METADATA, "spec": spec, "status": status})
    if not all(map(_readable, locations(job))):
        return  # the operator says InvalidUri and starts no pod
    document = json.loads(config_map(job)["data"]["job.json"])
    if job.spec.training.runtime.command:  # what only a program of one's own knows; the rest is the same
        assert document["training"].pop("parameters") == (job.spec.training.runtime.parameters or {})
        document |= {"task": "text-generation", "model": {"architecture": ARCHITECTURE}}
    config = Job.model_validate_json(json.dumps(document))
    assert config.output.uri == job.spec.output.uri
    compute = job.spec.training.compute
    assert config.training.compute.nodes == compute.nodes
    assert config.training.compute.sharding == compute.sharding


def _readable(location: str) -> bool:
    try:
        uri.parse(location)
    except ValueError:
        return False
    return True


@PATIENT
@given(data=st.data())
def test_every_command_of_a_serving_pod_is_valid_to_the_serving_package(data: st.DataObject) -> None:
    spec: dict[str, Any] = data.draw(specs(ModelDeployment))
    deployment = ModelDeployment.model_validate({"metadata": METADATA, "spec": spec})
    children = decide_deployment(deployment, ObservedDeployment(DEFAULTS), NOW).apply
    pod = next(child for child in children if child["kind"] == "Deployment")["spec"]["template"]["spec"]
    fetch, serve = (container["command"] for container in (*pod["initContainers"], *pod["containers"]))
    assert fetch[:3] == serve[:3] == ["python", "-m", "perennial_serving"]
    assert serving_parser().parse_args(fetch[3:]).digest == deployment.spec.model.digest
    options = serving_parser().parse_args(serve[3:])
    assert (options.name, options.version) == (deployment.spec.model.name, str(deployment.spec.model.version))
    assert options.linger < options.grace_period


def test_every_task_has_a_loss_a_network_and_columns() -> None:
    assert {metric for task in TASKS.values() for metric in task.metrics} == set(METRICS)
    for task in TASKS.values():
        assert task.metrics[0] == "loss"
        assert task.families
        assert set(task.fields) <= set(Fields.model_fields)


def test_the_command_that_deletes_an_artifact_is_valid_to_the_training_package() -> None:
    pytest.importorskip("tokenizers", reason="the training package is not installed with what it needs")
    from perennial_training.__main__ import _parser as training_parser

    folder = "pvc://models/writer/v1"
    version = Version.model_validate(
        {
            "number": 1, "state": "Refused", "trigger": "Initial", "fingerprint": "f", "trainingJob": "writer-v1",
            "uri": folder, "startTime": "2026-03-01T12:00:00Z",
            "artifact": {"uri": folder, "digest": "sha256:" + "0" * 64},
        }
    )  # fmt: skip
    job = cleanup(_model(), version, DEFAULTS)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["command"][:3] == ["python", "-m", "perennial_training"]
    options = training_parser().parse_args(container["command"][3:])
    assert (options.uri, options.digest) == (folder, "sha256:" + "0" * 64)


def test_the_result_and_the_failure_of_a_pod_are_read_as_they_are_written(tmp_path: Path) -> None:
    log = tmp_path / "termination-log"
    exits.report(exits.Failure("EmptyCorpus", "It is empty…", exits.BAD_DATA), log)
    end = Termination(exits.BAD_DATA, message=log.read_text())
    assert failure_of(end) == Trouble("EmptyCorpus", "It is empty…")
    assert {exits.BAD_DATA, exits.MISSING_INPUT, exits.BAD_CONFIGURATION} <= exits.FINAL
    assert not {exits.TEMPORARY, exits.PEER_LOST, exits.TERMINATED} & exits.FINAL


def _model() -> LanguageModel:
    model = {"task": "text-generation", "architecture": {}}
    data = {"train": [{"uri": "pvc://corpus/a.txt"}]}
    spec = {"model": model, "data": data, "storage": {"uri": "pvc://models"}}
    return LanguageModel.model_validate({"metadata": METADATA, "spec": spec})
