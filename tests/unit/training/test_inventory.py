"""find-artifacts: what an import learns of the artifacts in a folder, from a claim and from a bucket."""

import json
import shutil

import pytest

from perennial_contract import exits, manifest
from perennial_contract.exits import BAD_CONFIGURATION, MISSING_INPUT
from perennial_contract.found import MOST, FoundMessage
from perennial_contract.storage import credentials
from perennial_contract.storage.s3 import Store
from perennial_training import __main__ as command


def find(pod, uri, *options):
    options = ["--mounts", str(pod.root), "--termination-log", str(pod.log), *options]
    return command.main(["find-artifacts", "--uri", uri, *options])


def found(pod, uri, *options):
    assert find(pod, uri, *options) == 0
    return json.loads(pod.log.read_text())


def facts_of(created, **more):
    job = {"namespace": "demo", "name": "tiny-v1", "uid": "u", "fingerprint": "0123456789abcdef"}
    return {"task": "text-generation", "job": job, "createdAt": created, "metrics": {"loss": 2.5}} | more


def write(folder, created, **more):
    folder.mkdir(parents=True)
    (folder / "weights").write_bytes(b"x" * 10)
    return manifest.write(folder, facts_of(created, **more))


@pytest.fixture
def models(pod):
    return pod.output.parent


def test_artifacts_of_a_folder_are_told_the_newest_first(pod, models):
    comparison = {"version": 2, "metrics": {"loss": 3.0}}
    data = {"digest": "sha256:d", "trainExamples": 1, "validationExamples": 1}
    second = write(models / "v2-5565229d", "2026-03-01T12:00:00Z", data=data)
    third = write(models / "v3-5565229d", "2026-03-01T13:00:00Z", comparison=comparison)
    size = manifest.size(models / "v3-5565229d")
    message = found(pod, "pvc://models/tiny/")
    assert [each["number"] for each in message["found"]] == [3, 2]
    assert message["found"][0] == {
        "artifact": {"uri": "pvc://models/tiny/v3-5565229d", "digest": third, "sizeBytes": size},
        "number": 3,
        "task": "text-generation",
        "fingerprint": "0123456789abcdef",
        "createdAt": "2026-03-01T13:00:00Z",
        "metrics": {"loss": 2.5},
        "comparison": {"version": 2, "metrics": {"loss": 3.0}},
    }
    assert (message["found"][1]["artifact"]["digest"], message["found"][1]["dataDigest"]) == (second, "sha256:d")
    assert message["omitted"] == 0


def test_one_artifact_is_told_by_its_own_location(pod, models):
    digest = write(models / "mine", "2026-03-01T12:00:00Z")
    (only,) = found(pod, "pvc://models/tiny/mine")["found"]
    assert (only["artifact"]["uri"], only["artifact"]["digest"]) == ("pvc://models/tiny/mine", digest)
    assert "number" not in only


def test_of_a_training_it_is_told_what_the_training_told(pod):
    trained = pod.run()
    assert trained.code == 0, trained.output
    (only,) = found(pod, "pvc://models/tiny")["found"]
    assert only["artifact"] == trained.message["artifact"]
    assert (only["metrics"], only["dataDigest"]) == (trained.message["metrics"], trained.message["data"]["digest"])


@pytest.mark.parametrize("uri", ["pvc://models/tiny", "pvc://models", "pvc://models/nothing/here"])
def test_a_folder_without_artifacts_is_no_failure(pod, models, uri):
    models.mkdir(parents=True, exist_ok=True)
    assert found(pod, uri)["found"] == []


def test_unfinished_tampered_and_linked_artifacts_are_left_out(pod, models, tmp_path, capsys):
    for name in ("v1-a.partial", "v1-b.deleting", "v4-d", "v5-e"):
        write(models / name, "2026-03-01T12:00:00Z")
    (models / "v4-d" / manifest.NAME).write_text("{")
    shutil.move(models / "v5-e", tmp_path / "elsewhere")
    (models / "v5-e").symlink_to(tmp_path / "elsewhere")
    (models / "v6-f").mkdir()
    (models / "v6-f" / manifest.NAME).symlink_to(tmp_path / "elsewhere" / manifest.NAME)
    (models / "notes.txt").write_text("mine")
    write(models / "v7-g", "2026-03-01T12:00:00Z")
    message = found(pod, "pvc://models/tiny")
    assert [each["number"] for each in message["found"]] == [7]
    assert "v4-d is not JSON" in capsys.readouterr().out


def test_an_artifact_of_another_program_tells_what_it_has(pod, models):
    (models / "v1-a").mkdir(parents=True)
    digest = manifest.write(models / "v1-a", {})
    (only,) = found(pod, "pvc://models/tiny")["found"]
    assert (only["artifact"]["digest"], only["number"], only.keys()) == (digest, 1, {"artifact", "number", "metrics"})


def test_of_many_artifacts_as_many_of_the_newest_are_told_as_fit(pod, models):
    for number in range(1, MOST + 10):
        metrics = dict.fromkeys(("loss", "perplexity", "bitsPerByte"), 0.12345678901234566)
        write(models / f"v{number}-5565229d", f"2026-03-01T12:{number:02}:00Z", metrics=metrics)
    message = found(pod, "pvc://models/tiny")
    numbers = [each["number"] for each in message["found"]]
    assert numbers == list(range(MOST + 9, MOST + 9 - len(numbers), -1))
    assert len(numbers) >= 5, "as many as are kept by default"
    assert len(numbers) + message["omitted"] == MOST + 9
    assert len(pod.log.read_bytes()) <= exits.MAX_MESSAGE_BYTES
    assert FoundMessage.model_validate(message).found


@pytest.mark.parametrize(
    ("uri", "reason", "code"),
    [
        ("pvc://other/tiny", "ClaimNotMounted", MISSING_INPUT),
        ("https://example.org/tiny", "BadConfiguration", BAD_CONFIGURATION),
        ("pvc://models/../etc", "BadConfiguration", BAD_CONFIGURATION),
    ],
)
def test_what_can_hold_no_artifacts_is_refused(pod, uri, reason, code):
    assert find(pod, uri) == code
    assert json.loads(pod.log.read_text())["reason"] == reason


def test_artifacts_of_a_bucket(pod, s3, bucket):
    s3.secret(pod.root)
    store = Store(f"s3://{bucket}/models/tiny", credentials.mounted("storage", pod.root))
    content = json.dumps({"schema": 1, "files": {}} | facts_of("2026-03-01T12:00:00Z")).encode()
    store.write("v2-5565229d/weights", b"12345")
    for folder in ("v2-5565229d", "v3-5565229d.partial", "v2-5565229d/deeper"):
        store.write(f"{folder}/{manifest.NAME}", content)
    (only,) = found(pod, store.uri, "--secret", "storage")["found"]
    size = 5 + 2 * len(content)
    uri = f"{store.uri}/v2-5565229d"
    assert only["artifact"] == {"uri": uri, "digest": manifest.sha256(content), "sizeBytes": size}
    assert found(pod, uri, "--secret", "storage")["found"][0]["artifact"]["uri"] == uri
    assert found(pod, f"s3://{bucket}/none", "--secret", "storage")["found"] == []
