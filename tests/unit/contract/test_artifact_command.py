"""`python -m perennial_contract` seals a folder that any program has made, and proves it later."""

import json
from pathlib import Path

import pytest

from perennial_contract import manifest
from perennial_contract.__main__ import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "artifact"
    (made / "weights").mkdir(parents=True)
    (made / "weights" / "a.bin").write_bytes(b"abc")
    return made


def test_a_sealed_folder_is_proved(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "facts.json").write_text('{"task": "sentiment-analysis"}')
    assert main(["seal", str(folder), "--facts", str(tmp_path / "facts.json")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"digest": manifest.digest_of(folder), "sizeBytes": manifest.size(folder)}
    assert manifest.verify(folder, told["digest"])["task"] == "sentiment-analysis"
    assert main(["verify", str(folder), "--digest", told["digest"]]) == 0


def test_a_changed_folder_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["seal", str(folder)])
    (folder / "weights" / "a.bin").write_bytes(b"abd")
    assert main(["verify", str(folder)]) == 65
    assert "weights/a.bin" in capsys.readouterr().err


@pytest.mark.parametrize("facts", ["[]", "{", '{"files": {}}'])
def test_facts_that_can_not_be_are_refused(facts: str, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "facts.json").write_text(facts)
    assert main(["seal", str(folder), "--facts", str(tmp_path / "facts.json")]) == 65
    assert not (folder / manifest.NAME).exists()
