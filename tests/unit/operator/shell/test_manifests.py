"""Whether an object already is as its manifest says."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.decide.labels import MANIFEST_HASH
from perennial.kube.manifests import holds, with_hash

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3),
    max_leaves=12,
)


@given(JSON)
def test_everything_holds_itself(value):
    assert holds(copy.deepcopy(value), value)


@pytest.mark.parametrize(
    ("observed", "wanted"),
    [
        ({"a": 1, "b": 2}, {"a": 1}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}),
        ({}, {"readOnly": False, "value": "", "labels": {}, "args": [], "none": None, "replicas": 0}),
        ({}, {"resources": {"requests": {}}}),
        ({"requests": {"cpu": "1", "memory": "1Gi"}}, {"requests": {"cpu": "1000m", "memory": "1024Mi"}}),
        ({"limits": {"nvidia.com/gpu": "1"}}, {"limits": {"nvidia.com/gpu": 1}}),
        ([{"name": "a", "x": 1}, {"name": "sidecar"}], [{"name": "a"}]),
        ([{"port": 80, "nodePort": 0}], [{"port": 80}]),
        ({"spec": {"rate": 1.0}}, {"spec": {"rate": 1}}),
    ],
    ids=str,
)
def test_what_is_there_is_enough(observed, wanted):
    assert holds(observed, wanted)


@pytest.mark.parametrize(
    ("observed", "wanted"),
    [
        ({"a": 1}, {"a": 2}),
        ({}, {"a": 1}),
        ({"a": True}, {"a": False}),
        ({"a": "1"}, {"a": 1}),
        ({"a": {"b": 1}}, {"a": [1]}),
        ({"requests": {"cpu": "2"}}, {"requests": {"cpu": "1000m"}}),
        ({"requests": {}}, {"requests": {"cpu": "1"}}),
        ({"args": ["a", "b"]}, {"args": ["a"]}),
        ({"args": ["b", "a"]}, {"args": ["a", "b"]}),
        ([{"name": "a", "x": 2}], [{"name": "a", "x": 1}]),
        ([{"name": "b"}], [{"name": "a"}]),
        ({"spec": {"selector": {"a": "1", "b": "2"}}}, {"spec": {"selector": {"a": "1"}}}),
    ],
    ids=str,
)
def test_what_is_missing_or_different_is_noticed(observed, wanted):
    assert not holds(observed, wanted)


def test_a_field_that_is_no_longer_in_the_manifest_is_noticed_by_the_hash():
    head = {"metadata": {"name": "x"}}
    stored = with_hash(head | {"spec": {"a": 1, "b": 2}})
    assert holds(stored, with_hash(head | {"spec": {"b": 2, "a": 1}}))
    assert not holds(stored, with_hash(head | {"spec": {"a": 1}}))


def test_the_hash_does_not_change_the_manifest_it_is_of():
    manifest = {"metadata": {"name": "x", "annotations": {"a": "b"}}}
    assert set(with_hash(manifest)["metadata"]["annotations"]) == {"a", MANIFEST_HASH}
    assert manifest == {"metadata": {"name": "x", "annotations": {"a": "b"}}}
