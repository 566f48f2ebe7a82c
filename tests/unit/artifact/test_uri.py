"""URIs: what is read, and what is refused with advice."""

import re
from pathlib import Path

import pytest

from perennial_artifact.uri import Location, local_path, parse


@pytest.mark.parametrize(
    ("uri", "location"),
    [
        ("pvc://models/docs-writer/v1", Location("pvc", "models", "docs-writer/v1")),
        ("pvc://models", Location("pvc", "models", "")),
        ("pvc://models/folder/", Location("pvc", "models", "folder")),
        ("configmap://corpus/train.txt", Location("configmap", "corpus", "train.txt")),
        ("file:///opt/corpus.txt", Location("file", "", "/opt/corpus.txt")),
        ("https://example.org/a/b.txt?raw=1", Location("https", "example.org", "/a/b.txt?raw=1")),
        ("https://[::1]:8443/x", Location("https", "[::1]:8443", "/x")),
        ("hf://Qwen/Qwen3-0.6B", Location("hf", "Qwen/Qwen3-0.6B", "")),
        ("hf://gpt2", Location("hf", "gpt2", "")),
    ],
)
def test_a_uri_is_split(uri, location):
    assert parse(uri) == location


@pytest.mark.parametrize(
    ("uri", "advice"),
    [
        ("models/docs", "use one of pvc://"),
        ("ftp://host/x", "use one of pvc://"),
        ("http://host/x", "https://HOST/PATH"),
        ("pvc:///x", "pvc://CLAIM/PATH"),
        ("pvc://Models/x", "pvc://CLAIM/PATH"),
        ("pvc://models/../../etc/passwd", "'..'"),
        ("pvc://../x", "pvc://CLAIM/PATH"),
        ("file://etc/passwd", "file:///PATH"),
        ("file:///a/../b", "'..'"),
        ("configmap://corpus", "configmap://NAME/KEY"),
        ("configmap://corpus/a/b", "configmap://NAME/KEY"),
        ("configmap://corpus/..", "'..'"),
        ("hf://a/b/c", "hf://ORGANISATION/MODEL"),
        ("hf://../x", "hf://ORGANISATION/MODEL"),
        ("https:///x", "https://HOST/PATH"),
        ("https://host:port/x", "not a valid https URL"),
        ("pvc://models/a b", "space or control"),
        ("pvc://models/" + "x" * 2000, "longer than 1024"),
    ],
)
def test_a_wrong_uri_is_refused_with_advice(uri, advice):
    with pytest.raises(ValueError, match=re.escape(advice)):
        parse(uri)


def test_a_password_in_a_url_is_refused_and_not_repeated():
    with pytest.raises(ValueError, match="user name or password") as refusal:
        parse("https://me:secret@host/x")
    assert "secret" not in str(refusal.value)


def test_paths_in_the_pod():
    assert local_path("pvc://models/a/b") == Path("/perennial/claims/models/a/b")
    assert local_path("configmap://corpus/key", Path("/m")) == Path("/m/configmaps/corpus/key")
    assert local_path("file:///opt/x") == Path("/opt/x")
    with pytest.raises(ValueError, match="not a path in the pod"):
        local_path("hf://org/model")
