"""An artifact that goes to S3: whole or not there, never over another, resumed from what the pod before left there."""

import json
import shutil
import signal

import pytest

from perennial_contract import manifest
from perennial_contract.exits import BAD_CONFIGURATION, BAD_DATA, MISSING_INPUT, TEMPORARY
from perennial_contract.storage import credentials, s3_artifact
from perennial_contract.storage.s3 import Store
from perennial_training import __main__ as command
from perennial_training.fitting.trainer import Saving


@pytest.fixture
def out(pod, s3, bucket):
    """The pod's output is in the bucket."""
    pod.job["output"] = {"uri": f"s3://{bucket}/models/tiny/v1", "credentials": {"secretName": s3.secret(pod.root)}}
    return Store(pod.job["output"]["uri"], credentials.mounted("storage", pod.root))


class Killed(BaseException):
    """Ends a run where it stands, with no chance to tidy up."""


def kill_at(monkeypatch, target, name, when):
    """The run dies right after the call of a method for which `when(its arguments)` holds; the pod's disk is lost."""
    method = getattr(target, name)

    def call(self, *arguments, **more):
        result = method(self, *arguments, **more)
        if when(*arguments):
            raise Killed
        return result

    monkeypatch.setattr(target, name, call)


def killed(pod, monkeypatch, target, name, when):
    with monkeypatch.context() as patch:
        kill_at(patch, target, name, when)
        with pytest.raises(Killed):
            pod.run()
    shutil.rmtree(pod.root / "work")


def local(out, folder):
    s3_artifact.download(out, folder, None, lambda line: None)
    return manifest.verify(folder, None)


def test_the_artifact_is_whole_and_nothing_else_is_left(pod, out, s3, tmp_path):
    ended = pod.run()
    assert ended.code == 0, ended.output
    facts = local(out, tmp_path / "back")
    assert ended.message["artifact"] == {
        "uri": out.uri, "digest": manifest.digest_of(tmp_path / "back"), "sizeBytes": manifest.size(tmp_path / "back"),
    }  # fmt: skip
    assert facts["name"] == "models/tiny/v1"
    assert set(out.sizes()) == {*facts["files"], manifest.NAME}
    assert all(key.startswith("models/tiny/v1/") for key in s3.keys(out.bucket))


def test_a_job_that_is_done_gives_its_result_again(pod, out):
    first = pod.run()
    again = pod.run()
    assert again.message == first.message
    assert "already holds the artifact of this job" in again.output
    assert again.progress == []


def test_resuming_on_another_disk_is_exact(pod, out, monkeypatch, tmp_path):
    whole = pod.run()
    weights = local(out, tmp_path / "whole")["files"]["model.safetensors"]
    out.delete(out.sizes())
    shutil.rmtree(pod.root / "work")
    killed(pod, monkeypatch, Saving, "on_save", lambda args, state, *_: state.global_step == 6)
    ended = pod.run()
    assert "going on from checkpoint-6" in ended.output
    assert ended.message["metrics"] == whole.message["metrics"]
    assert local(out, tmp_path / "resumed")["files"]["model.safetensors"] == weights


def test_a_checkpoint_that_was_torn_on_its_way_is_passed_over(pod, out, monkeypatch):
    def after_most_of_checkpoint_6(files, say):
        return "checkpoint-6/optimizer.pt" in files

    killed(pod, monkeypatch, Store, "upload", after_most_of_checkpoint_6)
    ended = pod.run()
    assert "going on from checkpoint-3" in ended.output
    assert ended.code == 0


def test_no_more_checkpoints_are_kept_than_were_asked_for(pod, out, monkeypatch, s3):
    killed(pod, monkeypatch, Saving, "on_save", lambda args, state, *_: state.global_step == 9)
    folders = {key.split("/")[4] for key in s3.keys(out.bucket, "models/tiny/v1.partial/uid-1/")}
    assert {folder for folder in folders if folder.startswith("checkpoint")} == {"checkpoint-6", "checkpoint-9"}


@pytest.mark.parametrize("moment", ["the claim", "the files", "the manifest"])
def test_a_publishing_that_was_killed_is_completed(pod, out, monkeypatch, moment, tmp_path):
    point = {
        "the claim": ("write", lambda key, *_: key == "publishing"),
        "the files": ("upload", lambda files, say: "config.json" in files),
        "the manifest": ("write", lambda key, *_: key == manifest.NAME),
    }[moment]
    killed(pod, monkeypatch, Store, *point)
    ended = pod.run()
    assert ended.code == 0, ended.output
    assert local(out, tmp_path / "back")["job"]["uid"] == "uid-1"
    assert Store(f"{out.uri}.partial", out._credentials).sizes() == {}


def test_another_job_s_artifact_is_never_written_over(pod, out, tmp_path):
    pod.run()
    before = local(out, tmp_path / "before")
    pod.job["job"] |= {"uid": "uid-2", "name": "other"}
    ended = pod.run()
    assert (ended.code, ended.message["reason"]) == (BAD_CONFIGURATION, "OutputTaken")
    assert "the artifact of the job demo/tiny (uid-1)" in ended.message["message"]
    assert local(out, tmp_path / "after") == before


def test_a_job_that_is_created_again_has_its_artifact_already(pod, out, tmp_path):
    first = pod.run()
    before = local(out, tmp_path / "before")
    pod.job["job"]["uid"] = "uid-2"
    again = pod.run()
    assert (again.code, again.message) == (0, first.message | {"reused": True})
    assert local(out, tmp_path / "after") == before


def test_of_two_jobs_that_publish_at_the_same_time_one_wins(pod, out, monkeypatch, tmp_path):
    """The other one's artifact comes into place while ours is trained."""
    original = Saving.on_save

    def meanwhile(self, args, state, *rest, **more):
        original(self, args, state, *rest, **more)
        if state.global_step == 12:
            out.write("config.json", b"{}")
            out.write(manifest.NAME, b"theirs")

    monkeypatch.setattr(Saving, "on_save", meanwhile)
    ended = pod.run()
    assert (ended.code, ended.message["reason"]) == (BAD_CONFIGURATION, "OutputTaken")
    assert (out.read("config.json"), out.read(manifest.NAME)) == (b"{}", b"theirs")


def test_another_job_that_is_publishing_right_now_is_left_alone(pod, out):
    Store(f"{out.uri}.partial", out._credentials).write("publishing", b"uid-9")
    ended = pod.run()
    assert (ended.code, ended.message["reason"]) == (BAD_CONFIGURATION, "OutputTaken")
    assert "what the job uid-9 is publishing there" in ended.message["message"]
    assert out.sizes() == {}


def test_files_that_are_no_artifact_stay(pod, out):
    out.write("notes.txt", b"mine")
    ended = pod.run()
    assert (ended.code, ended.message["reason"]) == (BAD_CONFIGURATION, "OutputTaken")
    assert out.sizes() == {"notes.txt": 4}


def test_a_user_who_may_not_write_is_told_before_the_training(pod, out, s3):
    reader = s3.user(f"reader-of-{out.bucket}", out.bucket, "s3:ListBucket", "s3:GetObject")
    s3.secret(pod.root, user=reader)
    ended = pod.run()
    assert (ended.code, ended.message["reason"]) == (BAD_CONFIGURATION, "AccessDenied")
    assert "PutObject is not allowed; give the user of the Secret storage that right" in ended.message["message"]
    assert ended.progress == []
    assert reader.word not in ended.output + pod.log.read_text()


def test_a_bucket_that_is_not_there(pod, out):
    pod.job["output"]["uri"] = "s3://never-made/v1"
    ended = pod.run()
    assert (ended.code, ended.message["reason"]) == (MISSING_INPUT, "BucketNotFound")


def test_an_endpoint_where_nobody_is_can_be_tried_again(pod, out, s3, monkeypatch):
    monkeypatch.setattr("perennial_contract.storage.s3.ATTEMPTS", 1)
    s3.secret(pod.root, AWS_ENDPOINT_URL="http://127.0.0.1:1")
    ended = pod.run()
    assert (ended.code, ended.message["reason"]) == (TEMPORARY, "StorageUnreachable")


def test_a_storage_that_is_away_for_a_checkpoint_does_not_end_the_training(pod, out, s3, monkeypatch):
    monkeypatch.setattr("perennial_contract.storage.s3.ATTEMPTS", 1)
    begin = Saving.on_save

    def away(self, args, state, *rest, **more):
        s3.secret(pod.root, **({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"} if state.global_step == 6 else {}))
        begin(self, args, state, *rest, **more)

    monkeypatch.setattr(Saving, "on_save", away)
    ended = pod.run()
    assert ended.code == 0, ended.output
    assert ended.output.count("the training continues, and the next checkpoint retries") == 1


def test_the_credentials_are_in_nothing_that_is_written(pod, out, s3):
    ended = pod.run()
    words = (s3.root.word, s3.root.key)
    stored = [s3.client().get_object(Bucket=out.bucket, Key=key)["Body"].read() for key in s3.keys(out.bucket)]
    written = [path.read_bytes() for path in pod.root.rglob("*") if path.is_file() and "secrets" not in path.parts]
    assert len(stored) > 5
    for text in (*stored, *written, ended.output.encode()):
        assert not any(word.encode() in text for word in words)


def test_sigterm_saves_a_checkpoint_that_outlives_the_disk(pod, out, s3):
    pod.job["training"]["hyperparameters"]["maxSteps"] = 100_000
    pod.job["training"] |= {"evaluateEverySteps": 100_000, "checkpoints": {"everySteps": 100_000, "historyLimit": 2}}
    process = pod.start()
    for line in process.stdout:
        if line.startswith("{") and json.loads(line)["step"] > 0:
            process.send_signal(signal.SIGTERM)
            break
    output = process.stdout.read()
    assert process.wait() == 143, output
    whole = [key for key in s3.keys(out.bucket) if "/checkpoint-" in key and key.endswith(manifest.NAME)]
    assert len(whole) == 1


class TestBase:
    @pytest.fixture
    def trained(self, pod, out):
        """A trained artifact in the bucket; the pod then has another job."""
        assert pod.run().code == 0
        pod.job["job"]["uid"] = "uid-2"
        pod.job["output"] = pod.job["output"] | {"uri": out.uri.replace("/v1", "/v2")}
        return {"uri": out.uri, "credentials": {"secretName": "storage"}}

    def test_a_model_in_a_bucket_is_gone_on_from_and_compared_with(self, pod, trained, out):
        digest = manifest.sha256(out.read(manifest.NAME))
        pod.job |= {"model": {"pretrained": trained}, "compareWith": trained | {"version": 1, "digest": digest}}
        ended = pod.run()
        assert ended.code == 0, ended.output
        assert ended.message["comparison"]["version"] == 1
        assert ended.message["initialMetrics"]["loss"] == pytest.approx(
            ended.message["comparison"]["metrics"]["loss"], rel=1e-3
        )

    def test_a_model_that_was_tampered_with_is_refused(self, pod, trained, out):
        out.write("config.json", b"{}")
        pod.job["model"] = {"pretrained": trained}
        ended = pod.run()
        assert (ended.code, ended.message["reason"]) == (BAD_DATA, "TamperedArtifact")

    def test_a_served_artifact_of_another_digest_is_not_judged(self, pod, trained):
        pod.job["compareWith"] = trained | {"version": 1, "digest": "sha256:" + "0" * 64}
        ended = pod.run()
        assert ended.code == 0, ended.output
        assert ended.message["comparison"]["metrics"] == {}
        assert "is not what was written" in ended.message["comparison"]["message"]

    def test_a_model_that_no_job_of_ours_made(self, pod, trained, out):
        out.delete([manifest.NAME])
        out.write("pytorch_model.bin", b"a pickle, which nobody opens")
        pod.job["model"] = {"pretrained": trained}
        assert pod.run().code == 0

    def test_a_folder_without_a_model(self, pod, out, bucket):
        pod.job["model"] = {"pretrained": {"uri": f"s3://{bucket}/none", "credentials": {"secretName": "storage"}}}
        ended = pod.run()
        assert (ended.code, ended.message["reason"]) == (BAD_DATA, "UnknownModel")


class TestDeletion:
    @pytest.fixture
    def artifact(self, out):
        """The digest of an artifact with two files, and what a training left beside it; and a neighbour."""
        content = json.dumps({"schema": 1, "files": {}}).encode()
        for key in ("config.json", "sub/weights"):
            out.write(key, b"{}")
        out.write(manifest.NAME, content)
        Store(f"{out.uri}.partial", out._credentials).write("uid-1/opened", b"")
        Store(f"{out.uri}0", out._credentials).write("neighbour", b"")
        return manifest.sha256(content)

    def delete(self, pod, out, *options, secret="storage"):
        options = ["--mounts", str(pod.root), "--termination-log", str(pod.log), "--secret", secret, *options]
        return command.main(["delete-artifact", "--uri", out.uri, *options])

    def test_an_artifact_and_what_was_unfinished_beside_it_are_deleted(self, pod, out, artifact, s3):
        for _ in range(2):
            assert self.delete(pod, out, "--digest", artifact) == 0
            assert s3.keys(out.bucket) == ["models/tiny/v10/neighbour"]

    @pytest.mark.parametrize("options", [["--digest", "sha256:" + "0" * 64], []])
    def test_another_artifact_stays(self, pod, out, artifact, options):
        assert self.delete(pod, out, *options) == BAD_CONFIGURATION
        message = json.loads(pod.log.read_text())
        assert message["reason"] == "DigestMismatch"
        assert artifact in message["message"]
        assert len(out.sizes()) == 3

    def test_files_that_are_no_artifact_stay(self, pod, out):
        out.write("notes.txt", b"mine")
        assert self.delete(pod, out, "--digest", "sha256:" + "0" * 64) == BAD_CONFIGURATION
        assert self.delete(pod, out) == BAD_CONFIGURATION
        assert out.read("notes.txt") == b"mine"

    def test_a_deletion_that_was_killed_is_completed(self, pod, out, artifact, monkeypatch, s3):
        with monkeypatch.context() as patch:
            kill_at(patch, Store, "delete", lambda keys: manifest.NAME in keys)
            with pytest.raises(Killed):
                self.delete(pod, out, "--digest", artifact)
        assert manifest.NAME not in out.sizes()
        assert self.delete(pod, out, "--digest", artifact) == 0
        assert s3.keys(out.bucket) == ["models/tiny/v10/neighbour"]

    def test_what_a_killed_publishing_left_needs_no_digest(self, pod, out, s3):
        out.write("config.json", b"{}")
        Store(f"{out.uri}.partial", out._credentials).write("publishing", b"uid-1")
        assert self.delete(pod, out) == 0
        assert s3.keys(out.bucket) == []

    def test_a_user_who_may_not_delete_is_told(self, pod, out, artifact, s3):
        rights = ("s3:ListBucket", "s3:GetObject", "s3:PutObject")
        s3.secret(pod.root, "reader", user=s3.user(f"reader-of-{out.bucket}", out.bucket, *rights))
        assert self.delete(pod, out, "--digest", artifact, secret="reader") == BAD_CONFIGURATION
        assert json.loads(pod.log.read_text())["reason"] == "AccessDenied"
        assert manifest.NAME in out.sizes()
