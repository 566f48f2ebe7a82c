"""delete-artifact: only the artifact that is meant, and as often as one likes."""

import json

import pytest

from perennial_contract import manifest
from perennial_contract.exits import BAD_CONFIGURATION, MISSING_INPUT
from perennial_training import __main__ as command


@pytest.fixture
def artifact(pod):
    pod.output.mkdir(parents=True)
    (pod.output / "config.json").write_text("{}")
    return manifest.write(pod.output, {"job": {"namespace": "demo", "name": "writer-v2", "uid": "uid-1"}})


def delete(pod, *options, uri="pvc://models/tiny/v1"):
    options = ["--mounts", str(pod.root), "--termination-log", str(pod.log), *options]
    return command.main(["delete-artifact", "--uri", uri, *options])


def test_an_artifact_and_what_was_unfinished_beside_it_are_deleted(pod, artifact):
    pod.work.mkdir(parents=True)
    assert delete(pod, "--digest", artifact) == 0
    assert list(pod.output.parent.iterdir()) == []


def test_deleting_twice_is_a_success(pod, artifact):
    assert delete(pod, "--digest", artifact) == 0
    assert delete(pod, "--digest", artifact) == 0


def test_a_deletion_that_was_interrupted_is_completed(pod, artifact):
    pod.output.rename(pod.output.with_name("v1.deleting"))
    assert delete(pod, "--digest", artifact) == 0
    assert list(pod.output.parent.iterdir()) == []


def test_what_a_job_made_is_deleted_where_nobody_knows_a_digest(pod, artifact):
    assert delete(pod, "--job", "demo/writer-v2") == 0
    assert list(pod.output.parent.iterdir()) == []


NEITHER = ["--digest", "sha256:" + "0" * 64, "--job", "demo/writer-v2"]


@pytest.mark.parametrize("options", [NEITHER, [], ["--job", "demo/writer-v3"], ["--job", "other/writer-v2"]])
def test_another_artifact_stays(pod, artifact, options):
    assert delete(pod, *options) == BAD_CONFIGURATION
    message = json.loads(pod.log.read_text())
    assert message["reason"] == "DigestMismatch"
    assert artifact in message["message"]
    manifest.verify(pod.output, artifact)


def test_files_that_are_no_artifact_stay(pod):
    pod.output.mkdir(parents=True)
    (pod.output / "notes.txt").write_text("mine")
    assert delete(pod, "--digest", "sha256:" + "0" * 64) == BAD_CONFIGURATION
    assert (pod.output / "notes.txt").exists()


def test_an_unfinished_one_needs_no_digest(pod):
    pod.work.mkdir(parents=True)
    assert delete(pod) == 0
    assert not pod.work.parent.exists()


@pytest.mark.parametrize(
    ("uri", "code"),
    [
        ("pvc://models", BAD_CONFIGURATION),
        ("pvc://models/../x", BAD_CONFIGURATION),
        ("file:///etc", BAD_CONFIGURATION),
        ("pvc://elsewhere/x", MISSING_INPUT),
    ],
)
def test_what_can_not_be_an_artifact_is_refused(pod, uri, code):
    assert delete(pod, uri=uri) == code
