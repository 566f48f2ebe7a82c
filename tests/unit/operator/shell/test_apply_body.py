"""The body of a server-side apply: JSON that the API server can read as YAML."""

import json

import yaml
from hypothesis import given
from hypothesis import strategies as st

from perennial.kube.client import as_yaml

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff"))


# A key of YAML has 1,024 characters at most, of which an escape takes six; a longer one the API server refuses.
KEYS = TEXTS.filter(lambda text: len(json.dumps(text)) < 1024)


@given(st.dictionaries(KEYS, TEXTS))
def test_yaml_reads_any_text_unchanged(manifest: dict[str, str]) -> None:
    assert yaml.safe_load(as_yaml(manifest)) == manifest


def test_no_surrogate_is_escaped() -> None:
    manifest = {"name": "🤖", "query": "\x1a \x81 é", "path": "\\ud83e\\udd16 \\🤖"}
    assert yaml.safe_load(as_yaml(manifest)) == manifest
    assert "\\ud83e\\udd16" not in as_yaml({"name": "🤖"})
