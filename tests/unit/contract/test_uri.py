"""URIs: what is read, and what is refused with advice."""

import re
from pathlib import Path

import pytest

from perennial_contract.uri import Location, local_path, parse, wanted


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
        ("s3://models/docs-writer/v1", Location("s3", "models", "docs-writer/v1")),
        ("s3://models/folder/", Location("s3", "models", "folder/")),
        ("s3://models", Location("s3", "models", "")),
        ("hf://datasets/org/name/data/a.jsonl", Location("hf", "org/name", "data/a.jsonl")),
        ("hf://datasets/org/name@refs%2Fx/*.txt", Location("hf", "org/name@refs%2Fx", "*.txt")),
        ("hf://datasets/small", Location("hf", "datasets/small", "")),
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
        ("s3://Models/x", "s3://BUCKET/PATH"),
        ("s3://m/x", "s3://BUCKET/PATH"),
        ("s3://models//x", "s3://BUCKET/PATH"),
        ("s3://models/../x", "'..'"),
        ("s3:///x", "s3://BUCKET/PATH"),
        ("hf://datasets/org/name", "hf://datasets/ORGANISATION/NAME[@REVISION]/PATH"),
        ("hf://datasets/org/name@/x", "hf://datasets/ORGANISATION/NAME[@REVISION]/PATH"),
        ("hf://datasets/org/name@../x", "hf://datasets/ORGANISATION/NAME[@REVISION]/PATH"),
        ("hf://datasets/org/name/../x", "'..'"),
        ("pvc://models/a b", "space or control"),
        ("pvc://models/" + "x" * 2000, "longer than 1024"),
    ],
)
def test_a_wrong_uri_is_refused_with_advice(uri, advice):
    with pytest.raises(ValueError, match=re.escape(advice)):
        parse(uri)


@pytest.mark.parametrize(
    ("uri", "advice"),
    [
        ("https://me:secret@host/x", "holds a user name or password"),
        ("https://me:secret/x@host", "'host' is not a valid https URL"),
    ],
    ids=["a password", "a password with a slash"],
)
def test_a_password_in_a_url_is_refused_and_not_repeated(uri, advice):
    with pytest.raises(ValueError, match=advice) as refusal:
        parse(uri)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("path", "fits", "fits_not"),
    [
        ("a/b.txt", ["a/b.txt"], ["a/b.txt.bak", "x/a/b.txt", "a/bxtxt"]),
        ("a/", ["a/b", "a/b/c"], ["a/", "ab", "x/a/b"]),
        ("a/train-*.txt", ["a/train-1.txt", "a/train-/b.txt"], ["a/test-1.txt", "a/train-1.txt.gz"]),
        ("*/b/", ["a/b/c"], ["b/c"]),
    ],
)
def test_what_a_path_in_a_bucket_means(path, fits, fits_not):
    assert all(map(wanted(path).fullmatch, fits))
    assert not any(map(wanted(path).fullmatch, fits_not))


def test_paths_in_the_pod():
    assert local_path("pvc://models/a/b") == Path("/perennial/claims/models/a/b")
    assert local_path("configmap://corpus/key", Path("/m")) == Path("/m/configmaps/corpus/key")
    assert local_path("file:///opt/x") == Path("/opt/x")
    with pytest.raises(ValueError, match="not a path in the pod"):
        local_path("hf://org/model")
