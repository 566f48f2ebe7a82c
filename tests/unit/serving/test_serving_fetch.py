"""`fetch`: a whole and verified artifact or none."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Artifact

from perennial_contract import exits, manifest
from perennial_contract.exits import Failure
from perennial_serving.__main__ import main
from perennial_serving.artifact import fetch as fetching
from perennial_serving.artifact.fetch import fetch

WRONG = "sha256:" + "0" * 64


@pytest.fixture
def stored(artifact: Artifact, tmp_path: Path) -> Path:
    """A copy of the artifact that a test may spoil."""
    return shutil.copytree(artifact.folder, tmp_path / "claims" / "models" / "docs" / "v2")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "model"


def fetch_stored(stored: Path, digest: str, target: Path) -> None:
    fetch("pvc://models/docs/v2", digest, target, mounts=stored.parents[3])


def test_a_whole_artifact_arrives_and_nothing_else(stored: Path, artifact: Artifact, target: Path) -> None:
    fetch_stored(stored, artifact.digest, target)
    assert manifest.verify(target, artifact.digest)
    assert sorted(os.listdir(target)) == sorted(os.listdir(stored))


def test_what_is_there_is_not_copied_again(stored: Path, artifact: Artifact, target: Path) -> None:
    fetch_stored(stored, artifact.digest, target)
    before = (target / "model.safetensors").stat().st_ino
    fetch_stored(stored, artifact.digest, target)
    assert (target / "model.safetensors").stat().st_ino == before


@pytest.mark.parametrize("left", ["half of the files", "another version", "a copy that was cut off"])
def test_what_an_earlier_try_left_is_replaced(stored: Path, artifact: Artifact, target: Path, left: str) -> None:
    target.mkdir()
    match left:
        case "half of the files":
            (target / "config.json").write_text("{}")
        case "another version":
            shutil.copytree(stored, target, dirs_exist_ok=True)
            (target / "perennial.json").write_text("{}")
        case _:
            (target / ".partial").mkdir()
            (target / ".partial" / "model.safetensors").write_bytes(b"half")
    fetch_stored(stored, artifact.digest, target)
    assert manifest.verify(target, artifact.digest)


def spoil(stored: Path, how: str) -> None:
    weights = stored / "model.safetensors"
    match how:
        case "a changed file":
            content = bytearray(weights.read_bytes())
            content[-1] ^= 1
            weights.write_bytes(content)
        case "a cut file":
            os.truncate(weights, 100)
        case "a missing file":
            weights.unlink()
        case "a file more":
            (stored / "modeling.py").write_text("import os")
        case "a link":
            weights.rename(stored.parent / "elsewhere")
            weights.symlink_to(stored.parent / "elsewhere")
        case "a pipe":
            os.mkfifo(stored / "pipe")
        case "a changed manifest":
            path = stored / manifest.NAME
            path.write_text(json.dumps(json.loads(path.read_text()) | {"name": "other"}))


SPOILT = ("a changed file", "a cut file", "a missing file", "a file more", "a link", "a pipe", "a changed manifest")


@pytest.mark.parametrize("how", SPOILT)
def test_a_tampered_artifact_is_refused_and_leaves_nothing(
    stored: Path, artifact: Artifact, target: Path, how: str
) -> None:
    spoil(stored, how)
    with pytest.raises(Failure, match="is not the one that was trained") as failure:
        fetch_stored(stored, artifact.digest, target)
    assert (failure.value.reason, failure.value.code) == ("DigestMismatch", exits.BAD_DATA)
    assert os.listdir(target) == []


REFUSED = {
    "another digest": ("file://{stored}", WRONG, "DigestMismatch", exits.BAD_DATA),
    "no digest": ("file://{stored}", "v2", "InvalidDigest", exits.BAD_CONFIGURATION),
    "a claim that isn't mounted": ("pvc://nowhere/docs", WRONG, "ArtifactNotFound", exits.MISSING_INPUT),
    "a folder that isn't there": ("file://{stored}/none", WRONG, "ArtifactNotFound", exits.MISSING_INPUT),
    "a way out of the claim": ("pvc://models/../secret", WRONG, "InvalidUri", exits.BAD_CONFIGURATION),
    "storage that isn't read": ("https://example.com/model", WRONG, "InvalidUri", exits.BAD_CONFIGURATION),
}


@pytest.mark.parametrize(("uri", "digest", "reason", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_the_command_ends_with_the_contract_s_code_and_message(
    stored: Path, target: Path, tmp_path: Path, uri: str, digest: str, reason: str, code: int
) -> None:
    log = tmp_path / "termination-log"
    options = ["--uri", uri.format(stored=stored), "--digest", digest, "--to", str(target), "--mounts", str(tmp_path)]
    assert main(["fetch", *options, "--termination-log", str(log)]) == code
    message = json.loads(log.read_text())
    assert (message["perennial"], message["reason"]) == ("failure", reason)
    assert message["message"]


def test_a_folder_with_other_things_is_left_alone(stored: Path, artifact: Artifact, target: Path) -> None:
    target.mkdir()
    (target / "thesis.txt").write_text("years of work")
    with pytest.raises(Failure, match="give an empty folder") as failure:
        fetch_stored(stored, artifact.digest, target)
    assert failure.value.reason == "TargetNotEmpty"
    assert (target / "thesis.txt").exists()


def test_a_fetch_that_is_killed_leaves_nothing_to_serve(stored: Path, artifact: Artifact, target: Path) -> None:
    """Killed at its worst moment, before the manifest is moved into place."""
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "os.sync = lambda: os.kill(os.getpid(), signal.SIGKILL)\n"
        "from perennial_serving.artifact.fetch import fetch\n"
        "fetch(sys.argv[1], sys.argv[2], Path(sys.argv[3]))\n"
    )
    command = [sys.executable, "-c", script, f"file://{stored}", artifact.digest, str(target)]
    assert subprocess.run(command, check=False).returncode == -9
    assert (target / "config.json").exists()
    assert not (target / manifest.NAME).exists()
    fetch_stored(stored, artifact.digest, target)
    assert manifest.verify(target, artifact.digest)


def test_a_large_file_shows_its_progress(
    stored: Path, artifact: Artifact, target: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "REPORT_EVERY_SECONDS", 0.0)
    with caplog.at_level("INFO"):
        fetch_stored(stored, artifact.digest, target)
    assert any("MiB" in record.message for record in caplog.records)
