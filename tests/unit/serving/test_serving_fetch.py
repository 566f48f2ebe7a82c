"""`fetch`: a whole and verified artifact or none."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from perennial_contract import exits, manifest
from perennial_contract.exits import Failure
from perennial_serving.__main__ import main
from perennial_serving.artifact import folder_source
from perennial_serving.artifact.fetch import fetch
from perennial_testing.serving.artifacts import Artifact

WRONG = "sha256:" + "0" * 64


@pytest.fixture
def stored(artifact: Artifact, tmp_path: Path) -> Path:
    """A copy of the artifact that a test may change."""
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


def tamper(stored: Path, how: str) -> None:
    weights = stored / "model.safetensors"
    match how:
        case "changed file":
            content = bytearray(weights.read_bytes())
            content[-1] ^= 1
            weights.write_bytes(content)
        case "truncated file":
            os.truncate(weights, 100)
        case "missing file":
            weights.unlink()
        case "extra file":
            (stored / "modeling.py").write_text("import os")
        case "link":
            weights.rename(stored.parent / "elsewhere")
            weights.symlink_to(stored.parent / "elsewhere")
        case "pipe":
            os.mkfifo(stored / "pipe")
        case "changed manifest":
            path = stored / manifest.NAME
            path.write_text(json.dumps(json.loads(path.read_text()) | {"name": "other"}))


TAMPERINGS = ("changed file", "truncated file", "missing file", "extra file", "link", "pipe", "changed manifest")


@pytest.mark.parametrize("how", TAMPERINGS)
def test_a_tampered_artifact_is_refused_and_leaves_nothing(
    stored: Path, artifact: Artifact, target: Path, how: str
) -> None:
    tamper(stored, how)
    with pytest.raises(Failure, match="is not the one that was trained") as failure:
        fetch_stored(stored, artifact.digest, target)
    assert (failure.value.reason, failure.value.code) == ("DigestMismatch", exits.BAD_DATA)
    assert os.listdir(target) == []


@dataclass(frozen=True)
class Refused:
    uri: str
    reason: str
    code: int
    digest: str = WRONG


REFUSED = {
    "another digest": Refused("file://{stored}", reason="DigestMismatch", code=exits.BAD_DATA),
    "no digest": Refused("file://{stored}", digest="v2", reason="InvalidDigest", code=exits.BAD_CONFIGURATION),
    "a claim that isn't mounted": Refused("pvc://nowhere/docs", reason="ArtifactNotFound", code=exits.MISSING_INPUT),
    "a folder that isn't there": Refused("file://{stored}/none", reason="ArtifactNotFound", code=exits.MISSING_INPUT),
    "a way out of the claim": Refused("pvc://models/../secret", reason="InvalidUri", code=exits.BAD_CONFIGURATION),
    "unsupported storage": Refused("https://example.com/model", reason="InvalidUri", code=exits.BAD_CONFIGURATION),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_the_command_ends_with_the_contract_s_code_and_message(
    stored: Path, target: Path, tmp_path: Path, case: Refused
) -> None:
    log = tmp_path / "termination-log"
    options = ["--uri", case.uri.format(stored=stored), "--digest", case.digest, "--to", str(target)]
    assert main(["fetch", *options, "--mounts", str(tmp_path), "--termination-log", str(log)]) == case.code
    message = json.loads(log.read_text())
    assert (message["perennial"], message["reason"]) == ("failure", case.reason)
    assert message["message"]


def test_a_folder_with_other_things_is_left_alone(stored: Path, artifact: Artifact, target: Path) -> None:
    target.mkdir()
    (target / "thesis.txt").write_text("years of work")
    with pytest.raises(Failure, match="use an empty folder") as failure:
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
    monkeypatch.setattr(folder_source, "REPORT_EVERY_SECONDS", 0.0)
    with caplog.at_level("INFO"):
        fetch_stored(stored, artifact.digest, target)
    assert any("MiB" in record.message for record in caplog.records)
