"""The manifest pins every file: any change is found and named."""

import json

import pytest

from perennial_contract import manifest
from perennial_contract.manifest import TamperedArtifact


@pytest.fixture
def artifact(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "weights").write_bytes(b"\x00" * 1000)
    return tmp_path, manifest.write(tmp_path, {"name": "docs-writer"})


def test_what_was_written_verifies(artifact):
    folder, digest = artifact
    facts = manifest.verify(folder, digest)
    assert facts == manifest.verify(folder, None)
    assert facts["name"] == "docs-writer"
    assert facts["schema"] == 1
    assert set(facts["files"]) == {"config.json", "sub/weights"}
    assert digest == manifest.digest_of(folder)
    assert manifest.size(folder) > 1002


def test_the_same_files_and_facts_give_the_same_digest(artifact):
    folder, digest = artifact
    assert manifest.write(folder, {"name": "docs-writer"}) == digest


def changed(folder):
    (folder / "sub" / "weights").write_bytes(b"\x00" * 999 + b"\x01")


def removed(folder):
    (folder / "config.json").unlink()


def added(folder):
    (folder / "code.py").write_text("print()")


def linked(folder):
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to("/etc/hostname")


def without_manifest(folder):
    (folder / "perennial.json").unlink()


def not_json(folder):
    (folder / "perennial.json").write_text("{")


def without_files(folder):
    (folder / "perennial.json").write_text("[]")


def of_another_schema(folder):
    facts = json.loads((folder / "perennial.json").read_text())
    (folder / "perennial.json").write_text(json.dumps(facts | {"schema": 9}))


@pytest.mark.parametrize(
    ("tamper", "message"),
    [
        (changed, "sub/weights in .* was changed; expected sha256:.*, found sha256:"),
        (removed, "config.json is missing"),
        (added, "code.py in .* is not in the manifest"),
        (linked, "config.json in .* is a link"),
        (without_manifest, "perennial.json is missing"),
        (not_json, "not JSON"),
        (without_files, "lists no files"),
        (of_another_schema, "schema 9; expected 1"),
    ],
)
def test_tampering_is_found_and_named(artifact, tamper, message):
    folder, _ = artifact
    tamper(folder)
    with pytest.raises(TamperedArtifact, match=message):
        manifest.verify(folder, None)


def test_a_changed_manifest_is_found_by_the_digest(artifact):
    folder, digest = artifact
    facts = json.loads((folder / "perennial.json").read_text())
    (folder / "perennial.json").write_text(json.dumps(facts | {"name": "other"}))
    with pytest.raises(TamperedArtifact, match=f"perennial.json in .* was changed; expected {digest}"):
        manifest.verify(folder, digest)


def test_a_folder_with_a_link_is_not_made_an_artifact(tmp_path):
    (tmp_path / "x").symlink_to("/etc/hostname")
    with pytest.raises(ValueError, match="link"):
        manifest.write(tmp_path, {})
