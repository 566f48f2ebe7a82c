"""Whether an object agrees with its manifest."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.decide.labels import MANIFEST_HASH
from perennial.kube.manifests import as_text, first_difference, holds, with_hash

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3),
    max_leaves=12,
)


@given(JSON)
def test_every_object_agrees_with_itself(value):
    assert holds(copy.deepcopy(value), value)


@pytest.mark.parametrize(
    ("observed", "desired"),
    [
        pytest.param({"a": 1, "b": 2}, {"a": 1}, id="an additional field"),
        pytest.param({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, id="an additional nested field"),
        pytest.param(
            {},
            {"readOnly": False, "value": "", "labels": {}, "args": [], "none": None, "replicas": 0},
            id="zero values for absent fields",
        ),
        pytest.param({}, {"resources": {"requests": {}}}, id="nested zero values for an absent field"),
        pytest.param(
            {"requests": {"cpu": "1", "memory": "1Gi"}},
            {"requests": {"cpu": "1000m", "memory": "1024Mi"}},
            id="equal quantities in other units",
        ),
        pytest.param(
            {"limits": {"nvidia.com/gpu": "1"}}, {"limits": {"nvidia.com/gpu": 1}}, id="a quantity as text and number"
        ),
        pytest.param([{"name": "a", "x": 1}, {"name": "sidecar"}], [{"name": "a"}], id="an additional named item"),
        pytest.param([{"port": 80, "nodePort": 0}], [{"port": 80}], id="an additional field of an item"),
        pytest.param({"spec": {"rate": 1.0}}, {"spec": {"rate": 1}}, id="equal numbers of other types"),
    ],
)
def test_an_object_with_all_desired_fields_agrees(observed, desired):
    assert holds(observed, desired)


@pytest.mark.parametrize(
    ("observed", "desired"),
    [
        pytest.param({"a": 1}, {"a": 2}, id="another value"),
        pytest.param({}, {"a": 1}, id="an absent field"),
        pytest.param({"a": True}, {"a": False}, id="true for false"),
        pytest.param({"a": "1"}, {"a": 1}, id="text for a number"),
        pytest.param({"a": {"b": 1}}, {"a": [1]}, id="a map for a list"),
        pytest.param({"requests": {"cpu": "2"}}, {"requests": {"cpu": "1000m"}}, id="another quantity"),
        pytest.param({"requests": {}}, {"requests": {"cpu": "1"}}, id="an absent quantity"),
        pytest.param({"args": ["a", "b"]}, {"args": ["a"]}, id="an additional unnamed item"),
        pytest.param({"args": ["b", "a"]}, {"args": ["a", "b"]}, id="another order"),
        pytest.param([{"name": "a", "x": 2}], [{"name": "a", "x": 1}], id="another value in a named item"),
        pytest.param([{"name": "b"}], [{"name": "a"}], id="another name"),
        pytest.param(
            {"spec": {"selector": {"a": "1", "b": "2"}}}, {"spec": {"selector": {"a": "1"}}}, id="a wider selector"
        ),
    ],
)
def test_an_object_with_a_missing_or_different_field_does_not_agree(observed, desired):
    assert not holds(observed, desired)


def test_the_hash_reveals_a_field_that_was_removed_from_the_manifest():
    head = {"metadata": {"name": "x"}}
    stored = with_hash(head | {"spec": {"a": 1, "b": 2}})
    assert holds(stored, with_hash(head | {"spec": {"b": 2, "a": 1}}))
    assert not holds(stored, with_hash(head | {"spec": {"a": 1}}))


def test_hashing_does_not_change_the_manifest():
    manifest = {"metadata": {"name": "x", "annotations": {"a": "b"}}}
    assert set(with_hash(manifest)["metadata"]["annotations"]) == {"a", MANIFEST_HASH}
    assert manifest == {"metadata": {"name": "x", "annotations": {"a": "b"}}}


@pytest.mark.parametrize(
    ("observed", "desired", "path"),
    [
        pytest.param({"spec": {"a": 1, "b": 2}}, {"spec": {"a": 1, "b": 3}}, ".spec.b", id="a field"),
        pytest.param({}, {"spec": {"template": {"x": 1}}}, ".spec", id="an absent field with all that is in it"),
        pytest.param(
            {"containers": [{"name": "mesh"}, {"name": "serve", "args": ["a", "b"]}]},
            {"containers": [{"name": "serve", "args": ["a", "c"]}]},
            '.containers[name="serve"].args[1]',
            id="an item by name and one by index",
        ),
        pytest.param({"args": ["a"]}, {"args": ["a", "b"]}, ".args", id="a list of another length"),
        pytest.param({"env": []}, {"env": [{"name": "A"}]}, '.env[name="A"]', id="an absent item"),
        pytest.param({"limits": {"cpu": "1"}}, {"limits": {"cpu": "2"}}, ".limits.cpu", id="a quantity"),
        pytest.param({"selector": {"a": "1", "b": "2"}}, {"selector": {"a": "1"}}, ".selector", id="a selector"),
    ],
)
def test_the_first_difference_is_told_as_the_api_server_tells_fields(observed, desired, path):
    difference = first_difference(observed, desired)
    assert difference is not None
    assert as_text(difference) == path


def test_the_digest_is_a_difference_only_if_no_other_field_is():
    stored, desired = with_hash({"metadata": {"name": "x"}, "a": 1, "b": 2}), {"metadata": {"name": "x"}, "a": 1}
    assert as_text(first_difference(stored, with_hash(desired)) or ()).endswith(MANIFEST_HASH)
    assert first_difference(stored, with_hash(desired | {"a": 3})) == ("a",)
