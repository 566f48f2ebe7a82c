"""The published JSON Schemas are those of the classes."""

import json
from pathlib import Path

import pytest

import perennial_contract.schemas
from perennial_contract import manifest
from perennial_contract.result import Measured
from perennial_contract.schemas import PUBLISHED, files

FOLDER = Path(perennial_contract.schemas.__file__).parent


def test_the_files_are_what_the_classes_generate():
    kept = {path.name: path.read_text() for path in FOLDER.glob("*.json")}
    assert kept == files(), "stale; run `make crds`"


@pytest.mark.parametrize(
    ("name", "required"),
    [
        ("job", {"job", "task", "model", "data", "training", "output"}),
        ("result", {"perennial", "schema", "artifact", "metrics", "steps"}),
        ("manifest", {"schema", "files"}),
    ],
)
def test_a_program_of_ones_own_knows_what_it_must_write(name, required):
    assert set(json.loads(PUBLISHED[name].text())["required"]) == required


def test_a_program_without_pydantic_repeats_the_same_facts_in_its_result():
    assert set(manifest.RESULT_FACTS) == {field.alias for field in Measured.model_fields.values()}
