"""job.json: what the operator writes is read, and each mistake is named."""

import json

import pytest

from perennial_contract.exits import BAD_CONFIGURATION, Failure
from perennial_training import config


def read(tmp_path, job):
    (tmp_path / "job.json").write_text(json.dumps(job))
    return config.load(tmp_path / "job.json")


def put(job, path, value):
    *parents, last = path.split(".")
    for part in parents:
        job = job[part]
    job[last] = value


def test_a_job_is_read_and_written_again(pod, tmp_path):
    job = read(tmp_path, pod.job)
    assert job.training.hyperparameters.max_steps == 12
    document = job.document()
    assert document["schema"] == 1
    assert document["training"] == pod.job["training"]
    assert document["data"]["train"] == pod.job["data"]["train"]
    assert read(tmp_path, document) == job


def test_two_jobs_that_differ_have_different_digests(pod, tmp_path):
    one = read(tmp_path, pod.job).digest()
    put(pod.job, "training.hyperparameters.seed", 2)
    assert one != read(tmp_path, pod.job).digest()


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        pytest.param("extra", 1, "extra is not a known field", id="an unknown field"),
        pytest.param(
            "training.hyperparameters.learningrate",
            1,
            "hyperparameters.learningrate is not a known field",
            id="an unknown hyperparameter",
        ),
        pytest.param(
            "training.hyperparameters.learningRate",
            -1,
            "learningRate: Input should be greater than 0",
            id="a negative learning rate",
        ),
        pytest.param(
            "training.hyperparameters.maxSteps",
            "10",
            "maxSteps: Input should be a valid integer",
            id="text instead of a number",
        ),
        pytest.param(
            "training.hyperparameters.warmupSteps",
            12,
            "warmupSteps 12 must be smaller than maxSteps 12",
            id="a warmup as long as the training",
        ),
        pytest.param(
            "training.hyperparameters.learningRateSchedule",
            "step",
            "Schedule: Input should be 'constant', 'linear'",
            id="an unknown schedule",
        ),
        pytest.param(
            "training.checkpoints.historyLimit",
            0,
            "historyLimit: Input should be greater than or equal to 1",
            id="no checkpoint is kept",
        ),
        pytest.param(
            "model.architecture.heads",
            3,
            "hiddenSize 16 must be a multiple of twice the heads (6)",
            id="heads that do not divide the size",
        ),
        pytest.param(
            "model.architecture.dropout", 1.0, "dropout: Input should be less than 1", id="a dropout of everything"
        ),
        pytest.param(
            "model.architecture.family", "gan", "family: Input should be 'transformer', 'rnn'", id="an unknown family"
        ),
        pytest.param(
            "model.pretrained",
            {"uri": "pvc://models/base"},
            "give exactly one of architecture and pretrained",
            id="two models",
        ),
        pytest.param("model", {}, "give exactly one of architecture and pretrained", id="no model"),
        pytest.param(
            "model",
            {"pretrained": {"uri": "pvc://models/b", "revision": "x"}},
            "only hf:// has revisions",
            id="a revision of a folder",
        ),
        pytest.param(
            "data.validation",
            {"fraction": 0.1, "uri": "pvc://c/x"},
            "give exactly one of fraction and uri",
            id="two validations",
        ),
        pytest.param("data.validation", {"fraction": 1.0}, "fraction: Input should be less than 1", id="all held out"),
        pytest.param("data.train", [], "data.train: List should have at least 1 item", id="no training data"),
        pytest.param(
            "data.train", [{"uri": "http://host/x"}], "data.train.0.uri: 'http://host/x' is not a URI", id="plain HTTP"
        ),
        pytest.param(
            "data.train", [{"uri": "hf://org/data"}], "can't be used here", id="a model instead of a data set"
        ),
        pytest.param("data.train", [{"uri": "pvc://corpus/../x"}], "'..'", id="a path that leaves its claim"),
        pytest.param("output.uri", "pvc://models", "names a claim, but no path in it", id="an output without a path"),
        pytest.param(
            "output.uri",
            "https://host/x",
            "can't be used here; use pvc://CLAIM/PATH",
            id="an output at an HTTPS server",
        ),
        pytest.param("job.uid", "../x", "job.uid", id="a UID that is a path"),
        pytest.param(
            "compareWith",
            {"version": 1, "uri": "pvc://m/x", "digest": "md5:1"},
            "compareWith.digest",
            id="a digest of another kind",
        ),
    ],
)
def test_a_mistake_is_named(pod, tmp_path, path, value, message):
    put(pod.job, path, value)
    with pytest.raises(Failure) as refusal:
        read(tmp_path, pod.job)
    assert refusal.value.code == BAD_CONFIGURATION
    assert message in refusal.value.message


def test_without_a_file_it_says_what_to_do(tmp_path):
    with pytest.raises(Failure, match="give the job's configuration with --config FILE"):
        config.load(tmp_path / "none.json")


def test_broken_json_is_named(tmp_path):
    (tmp_path / "job.json").write_text("{")
    with pytest.raises(Failure, match="not a valid job: Invalid JSON"):
        config.load(tmp_path / "job.json")
