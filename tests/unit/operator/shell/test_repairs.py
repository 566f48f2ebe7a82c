"""How often a child that others change is written, and what is said about it."""

from typing import Any

import pytest

from perennial.kube.keys import Key
from perennial.kube.manifests import FieldPath, first_difference, hash_of, with_hash
from perennial.loop.repairs import FORGOTTEN_AFTER, LONGEST_PAUSE, Child, RepairMemory, Repairs, rewritten_event

OWNER = Key("Deployment", "demo", "tiny")
CHILD = Child(OWNER, "Deployment", "tiny")
DIGEST, OTHER = "aaaa", "bbbb"
GRACE: FieldPath = ("spec", "terminationGracePeriodSeconds")


def writes_within(seconds: float, repairs: Repairs) -> list[float]:
    """When a child is written that is changed after each write."""
    now, times = 0.0, []
    while (now := now + repairs.wait(now)) <= seconds:
        times.append(now)
        repairs = repairs.after_write(now, None)
    return times


def test_the_first_repair_is_immediate_and_the_next_ones_are_ever_rarer() -> None:
    assert writes_within(600, Repairs(DIGEST, writes=1)) == [0, 5, 15, 35, 75, 155, 315]


def test_a_new_manifest_is_written_at_once_and_so_is_its_first_repair() -> None:
    assert writes_within(10, Repairs(DIGEST)) == [0, 0, 5]


def test_a_report_is_no_flood() -> None:
    assert [number for number in range(40) if Repairs(DIGEST, writes=number + 1).is_reported] == [1, 2, 4, 8, 16, 32]


def test_a_lasting_fight_is_never_forgotten() -> None:
    times = writes_within(10 * 3600, Repairs(DIGEST, writes=1))
    assert times[-1] - times[-2] == LONGEST_PAUSE < FORGOTTEN_AFTER


def test_what_an_object_was_applied_from_counts_after_a_restart() -> None:
    memory = RepairMemory()
    assert memory.of(CHILD, DIGEST, applied=DIGEST, now=0).writes == 1
    assert memory.of(CHILD, DIGEST, applied=OTHER, now=0).writes == 0


def test_writes_of_two_operators_count_though_each_sees_the_digest_of_the_other() -> None:
    memory = RepairMemory()
    memory.put(CHILD, memory.of(CHILD, DIGEST, OTHER, 0).after_write(0, None), 0)
    memory.put(CHILD, memory.of(CHILD, DIGEST, OTHER, 1).after_write(1, None), 1)
    assert memory.of(CHILD, DIGEST, OTHER, 2).wait(2) == 4


def test_another_manifest_does_not_wait() -> None:
    memory = RepairMemory()
    memory.put(CHILD, Repairs(DIGEST, writes=9, time=0), 0)
    assert memory.of(CHILD, DIGEST, DIGEST, 1).wait(1) > 0
    assert memory.of(CHILD, OTHER, DIGEST, 1).wait(1) == 0


def test_what_was_long_ago_is_forgotten_and_takes_no_room() -> None:
    memory = RepairMemory()
    memory.put(CHILD, Repairs(DIGEST, writes=9, time=0), 0)
    late = FORGOTTEN_AFTER + 1
    assert list(memory.repaired(1)) == [(CHILD, 8)]
    assert list(memory.repaired(late)) == []
    memory.put(CHILD._replace(name="other"), Repairs(DIGEST, writes=1, time=late), late)
    assert list(memory.repaired(1)) == []


def test_the_repairs_go_with_their_owner() -> None:
    memory = RepairMemory()
    stays = CHILD._replace(owner=OWNER._replace(name="other"))
    for child in (CHILD, stays):
        memory.put(child, Repairs(DIGEST, writes=3, time=0), 0)
    memory.forget(OWNER)
    assert list(memory.repaired(1)) == [(stays, 2)]


def test_a_repair_counts_from_the_second_write_of_a_manifest() -> None:
    memory = RepairMemory()
    memory.put(CHILD, Repairs(DIGEST, writes=1, time=0), 0)
    assert list(memory.repaired(1)) == []


WANTED = with_hash({"metadata": {"name": "tiny"}, "spec": {"terminationGracePeriodSeconds": 60}})


def observed(manager: str = "perennial", **metadata: Any) -> dict[str, Any]:
    fields = {"f:spec": {"f:terminationGracePeriodSeconds": {}}}
    entries = [{"manager": manager, "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": fields}]
    spec = WANTED["spec"] | {"terminationGracePeriodSeconds": 30}
    return {"metadata": WANTED["metadata"] | {"managedFields": entries} | metadata, "spec": spec}


@pytest.mark.parametrize(
    ("child", "rewritten", "writer"),
    [
        pytest.param(observed(), GRACE, "an admission webhook or policy", id="changed in the response to the write"),
        pytest.param(observed("kubectl-edit"), None, "the field manager kubectl-edit", id="another field manager"),
        pytest.param(observed(annotations={}), None, "another operator of Perennial", id="another manifest of ours"),
        pytest.param(observed(managedFields=[]), None, "a client that removed it", id="nobody's field any more"),
    ],
)
def test_field_and_writer_are_named(child: dict[str, Any], rewritten: FieldPath | None, writer: str) -> None:
    path = first_difference(child, WANTED)
    assert path == GRACE
    event = rewritten_event(CHILD, child, path, Repairs(hash_of(WANTED), 2, 0, rewritten))
    assert (event.reason, event.type) == ("ChildRewritten", "Warning")
    assert event.message.startswith(
        f"Deployment tiny: .spec.terminationGracePeriodSeconds is changed after each write by {writer}."
    )
