"""The cache of watched objects."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.kube.cache import Cache
from perennial.kube.keys import Key
from perennial.kube.resources import JOB, POD

OWNER = {"apiVersion": "perennial.dev/v1alpha1", "kind": "TrainingJob", "name": "owner"}


def ignore(key):
    """Does nothing with an affected key."""


def job(name="a", uid="1", version=1, owner=None):
    at = {"name": name, "namespace": "demo", "uid": uid, "resourceVersion": str(version), "managedFields": ["much"]}
    if owner:
        at["ownerReferences"] = [OWNER | {"uid": owner}]
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": at}


def training_job(age, status=None):
    created = datetime.now(UTC) - timedelta(seconds=age)
    at = job()["metadata"] | {"creationTimestamp": created.isoformat()}
    return {"apiVersion": OWNER["apiVersion"], "kind": "TrainingJob", "metadata": at, "status": status or {}}


@pytest.mark.parametrize(
    ("age", "status", "untouched"),
    [
        pytest.param(1, None, True, id="soon after its creation"),
        pytest.param(60, None, False, id="later, as a watch that begins in the past shows it"),
        pytest.param(1, {"state": "Running"}, False, id="with a status"),
        pytest.param(1, {"observedGeneration": -1}, True, id="with the default of the CRD"),
    ],
)
def test_an_object_is_untouched_if_seen_without_a_status_soon_after_its_creation(age, status, untouched):
    cache = Cache(ignore)
    assert not cache.is_untouched("1")
    cache.put(training_job(age, status))
    assert cache.is_untouched("1") == untouched


def test_the_higher_version_wins_in_any_order():
    cache = Cache(ignore)
    for version in (9, 10, 9):
        cache.put(job(version=version))
    assert cache.get(JOB, "demo", "a")["metadata"]["resourceVersion"] == "10"


def test_a_deleted_object_does_not_come_back():
    cache = Cache(ignore)
    cache.remove("1")
    cache.put(job())
    assert cache.get(JOB, "demo", "a") is None
    assert cache.was_deleted("1")


def test_an_object_that_gets_its_label_again_comes_back():
    cache = Cache(ignore)
    cache.put(job(version=1))
    cache.remove("1", 2)  # the watch reports it as a deletion
    cache.put(job(version=2))
    assert cache.get(JOB, "demo", "a") is None
    cache.put(job(version=3))
    assert cache.get(JOB, "demo", "a")
    assert not cache.was_deleted("1")


def test_a_late_loss_of_the_label_does_not_hide_the_newer_version():
    cache = Cache(ignore)
    cache.put(job(version=3))
    cache.remove("1", 2)
    assert cache.get(JOB, "demo", "a")


def test_a_successor_of_the_same_name_replaces_an_object_whose_deletion_was_missed():
    cache = Cache(ignore)
    cache.put(job(uid="1", version=1, owner="x"))
    cache.put(job(uid="2", version=5, owner="y"))
    cache.remove("1")
    assert cache.get(JOB, "demo", "a")["metadata"]["uid"] == "2"
    assert cache.owned("x", JOB) == []


def test_a_late_event_of_a_predecessor_does_not_hide_its_successor():
    cache = Cache(ignore)
    cache.put(job(uid="2", version=5))
    cache.put(job(uid="1", version=3))
    cache.remove("1")
    assert cache.get(JOB, "demo", "a")["metadata"]["uid"] == "2"


def test_children_are_found_by_owner_and_kind_in_the_order_of_their_names():
    cache = Cache(ignore)
    cache.put(job("b", "1", owner="x"))
    cache.put(job("a", "2", owner="x"))
    cache.put(job("c", "3", owner="y"))
    cache.put(job("d", "4", owner="x") | {"apiVersion": "v1", "kind": "Pod"})
    assert [child["metadata"]["name"] for child in cache.owned("x", JOB)] == ["a", "b"]
    assert [child["metadata"]["name"] for child in cache.owned("x", POD)] == ["d"]


def test_a_changed_owner_is_followed():
    cache = Cache(ignore)
    cache.put(job(version=1, owner="x"))
    cache.put(job(version=2, owner="y"))
    assert cache.owned("x", JOB) == []
    assert len(cache.owned("y", JOB)) == 1


def test_the_pods_of_a_deployment_are_found_by_label():
    cache = Cache(ignore)
    pod = job("p") | {"apiVersion": "v1", "kind": "Pod"}
    pod["metadata"]["labels"] = {"perennial.dev/deployment": "d"}
    cache.put(pod)
    assert len(cache.pods_of_deployment(POD, "demo", "d")) == 1
    assert cache.pods_of_deployment(POD, "other", "d") == []


def test_managed_fields_are_not_kept():
    cache = Cache(ignore)
    cache.put(job())
    assert "managedFields" not in cache.get(JOB, "demo", "a")["metadata"]


@given(st.permutations([("put", "1", 1), ("put", "1", 2), ("delete", "1", 3), ("put", "2", 4), ("put", "2", 5)]))
def test_any_order_of_events_ends_in_the_same_state(events):
    cache = Cache(ignore)
    for verb, uid, version in events:
        if verb == "put":
            cache.put(job(uid=uid, version=version))
        else:
            cache.remove(uid)
    assert cache.get(JOB, "demo", "a")["metadata"]["resourceVersion"] == "5"
    assert len(cache) == 1


def test_a_change_is_reported_once_and_an_echo_not_at_all():
    reported = []
    cache = Cache(reported.append)
    for version in (3, 3, 2):
        cache.put(job(version=version, owner="o"))
    assert reported == [Key("TrainingJob", "demo", "owner")]
    cache.remove("1")
    cache.remove("1")
    assert reported == [Key("TrainingJob", "demo", "owner")] * 2
