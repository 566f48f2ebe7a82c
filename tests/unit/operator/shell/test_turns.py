"""How many Deployments follow a change of the operator's defaults at a time."""

from typing import Any

from perennial.kube.cache import Cache
from perennial.kube.keys import Key
from perennial.loop.observe.sources.turns import Turns

A, B, C = (Key("Deployment", "demo", name) for name in "abc")


def put(
    cache: Cache, key: Key, version: int = 1, built_for: str = "Spec", reason: str = "NewReplicaSetAvailable"
) -> None:
    at: dict[str, Any] = {"name": key.name, "namespace": key.namespace, "uid": key.name}
    at |= {"resourceVersion": str(version), "annotations": {"perennial.dev/built-for": built_for}}
    progress = {"type": "Progressing", "status": "True", "reason": reason}
    document = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": at, "spec": {}}
    cache.put(document | {"status": {"conditions": [progress]}})


def turns(*keys: Key, most: int = 2) -> tuple[Cache, Turns]:
    cache = Cache(lambda _: None)
    for key in keys:
        put(cache, key)
    return cache, Turns(cache, most)


def test_no_more_than_allowed_follow_even_before_the_first_one_is_written() -> None:
    _, follow = turns(A, B, C)
    assert [follow.take(key) for key in (A, B, C)] == [True, True, False]
    assert follow.take(A), "who has a turn keeps it, whatever was in the way of its write"


def test_the_next_one_follows_when_an_earlier_one_has_rolled_out() -> None:
    cache, follow = turns(A, B, most=1)
    assert follow.take(A)
    put(cache, A, 2, "Defaults", "ReplicaSetUpdated")
    follow.give_back(A)
    assert not follow.take(B)
    put(cache, A, 3, "Defaults")
    assert follow.take(B)


def test_another_process_goes_on_with_those_that_are_rolling_out() -> None:
    cache, _ = turns(A, B)
    put(cache, A, 2, "Defaults", "ReplicaSetUpdated")
    after_restart = Turns(cache, 1)
    assert not after_restart.take(B)
    assert after_restart.take(A), "its own rollout is not in its way"


def test_rollouts_of_users_take_no_turn_and_a_deleted_one_gives_it_back() -> None:
    cache, follow = turns(A, B, C, most=1)
    put(cache, C, 2, "Spec", "ReplicaSetUpdated")
    assert follow.take(A)
    cache.remove("a")
    assert follow.take(B)
