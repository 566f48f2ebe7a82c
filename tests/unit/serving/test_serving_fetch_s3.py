"""`fetch` from S3: a whole and verified artifact or none, against a real server."""

import json
import os
import uuid
from pathlib import Path

import pytest

from perennial_contract import exits, manifest
from perennial_contract.exits import Failure
from perennial_contract.storage import credentials
from perennial_contract.storage.s3 import Store
from perennial_serving.__main__ import main
from perennial_serving.artifact.fetch import fetch
from perennial_testing.servers.s3_server import S3Server
from perennial_testing.serving.artifacts import Artifact


@pytest.fixture
def stored(artifact: Artifact, s3: S3Server, bucket: str, tmp_path: Path) -> Store:
    """A copy of the artifact in the bucket, which a test may change."""
    store = Store(f"s3://{bucket}/docs/v2", credentials.mounted(s3.secret(tmp_path), tmp_path))
    files = {path.relative_to(artifact.folder).as_posix(): path for path in artifact.folder.rglob("*")}
    store.upload({key: path for key, path in files.items() if path.is_file()}, print)
    return store


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "model"


def fetch_stored(stored: Store, digest: str, target: Path) -> None:
    fetch(stored.uri, digest, target, target.parent, "storage")


def test_a_whole_artifact_arrives_and_nothing_else(stored: Store, artifact: Artifact, target: Path) -> None:
    stored.write("not-of-the-artifact.py", b"import os")
    fetch_stored(stored, artifact.digest, target)
    assert manifest.verify(target, artifact.digest)
    assert sorted(os.listdir(target)) == sorted(os.listdir(artifact.folder))


def test_what_an_earlier_try_brought_is_not_fetched_again(
    stored: Store, artifact: Artifact, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first try is cut off after some files; it leaves a half file as boto3 does."""
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", _out_of_reach)
        with pytest.raises(Failure, match="can't be copied"):
            fetch_stored(stored, artifact.digest, target)
    (target / ".partial" / "model.safetensors.8F3a").touch()
    os.truncate(target / ".partial" / "config.json", 3)
    asked: list[str] = []
    download = Store.download
    monkeypatch.setattr(
        Store, "download", lambda self, sizes, *rest: asked.extend(sizes) or download(self, sizes, *rest)
    )
    fetch_stored(stored, artifact.digest, target)
    assert asked == ["config.json"]
    assert manifest.verify(target, artifact.digest)


def _out_of_reach(path: Path, content: bytes) -> None:
    raise OSError("the network is away")


def test_half_an_artifact_in_place_is_replaced(stored: Store, artifact: Artifact, target: Path) -> None:
    target.mkdir()
    (target / "config.json").write_text("{}")
    fetch_stored(stored, artifact.digest, target)
    assert manifest.verify(target, artifact.digest)


@pytest.mark.parametrize("how", ["a changed file", "a missing file", "a changed manifest", "a way out of the folder"])
def test_a_tampered_artifact_is_refused_and_leaves_nothing(
    stored: Store, artifact: Artifact, target: Path, how: str
) -> None:
    digest = artifact.digest
    facts = json.loads(stored.read(manifest.NAME) or b"")
    match how:
        case "a changed file":
            stored.write("config.json", b"{}")
        case "a missing file":
            stored.delete(["config.json"])
        case "a changed manifest":
            stored.write(manifest.NAME, json.dumps(facts | {"name": "other"}).encode())
        case _:
            content = json.dumps(facts | {"files": {"../evil": "sha256:0"}}).encode()
            stored.write(manifest.NAME, content)
            digest = manifest.sha256(content)
    with pytest.raises(Failure) as failure:
        fetch_stored(stored, digest, target)
    assert failure.value.reason == ("UnsafeKey" if how == "a way out of the folder" else "DigestMismatch")
    assert failure.value.code == exits.BAD_DATA
    assert [path for path in target.rglob("*") if path.is_file()] == []


def test_the_command_ends_with_the_contract_s_code_and_message(
    stored: Store, artifact: Artifact, target: Path, tmp_path: Path, s3: S3Server, capfd: pytest.CaptureFixture[str]
) -> None:
    stranger = s3.user(f"stranger-{uuid.uuid4().hex[:8]}")
    s3.secret(tmp_path, "strange", stranger)
    refused = {
        (stored.uri, "strange"): ("AccessDenied", exits.BAD_CONFIGURATION),
        (stored.uri, "forgotten"): ("SecretNotMounted", exits.MISSING_INPUT),
        (f"{stored.uri}0", "storage"): ("ArtifactNotFound", exits.MISSING_INPUT),
        ("s3://never-made/v1", "storage"): ("BucketNotFound", exits.MISSING_INPUT),
    }
    log = tmp_path / "termination-log"
    for (uri, secret), (reason, code) in refused.items():
        options = ["--uri", uri, "--digest", artifact.digest, "--to", str(target), "--mounts", str(tmp_path)]
        assert main(["fetch", *options, "--secret", secret, "--termination-log", str(log)]) == code
        assert json.loads(log.read_text())["reason"] == reason
        assert stranger.word not in log.read_text() + "".join(capfd.readouterr())


def test_a_disk_that_is_too_small_is_told_before_it_is_full(
    stored: Store, artifact: Artifact, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perennial_contract.storage.room.RESERVED_BYTES", 2**60)
    with pytest.raises(Failure, match="more bytes, and 0 are free") as failure:
        fetch_stored(stored, artifact.digest, target)
    assert failure.value.reason == "InputTooLarge"
