"""training.queueName with a real Kueue: it alone says when a training starts, stops and starts again."""

import time
from collections.abc import Callable

import pytest

from perennial_testing.cluster.node import Train, empty_corpus, eventually, loss_by_seed
from perennial_testing.kueue.queue_scene import CPU, POOL, QUEUE, URGENT, Scene, condition, quota


def test_what_fits_is_admitted_and_completes(scene: Scene) -> None:
    scene.make_queue(cpus=1)
    scene.create("one")
    scene.wait("one", "Running", "Training")
    assert scene.used() == "1"
    (pod,) = scene.pods("one")
    assert pod["spec"]["nodeSelector"] == POOL
    scene.let_end("one")
    scene.wait("one", "Complete", "Trained")
    workload = eventually(lambda: condition(scene.workload("one"), "Finished") and scene.workload("one"), "it is over")
    assert condition(workload, "Finished")["reason"] == "Succeeded"
    assert condition(workload, "Admitted")["lastTransitionTime"] <= pod["metadata"]["creationTimestamp"]
    eventually(lambda: scene.used() == "0", "the quota is free")


def test_the_versions_of_a_model_wait_in_the_queue(scene: Scene) -> None:
    scene.make_queue(cpus=1)
    scene.create("one")
    scene.wait("one", "Running", "Training")
    scene.story.apply(**CPU)
    scene.wait("writer-v1", "Pending", "Queued")
    scene.let_end("one")
    scene.wait("writer-v1", "Running", "Training")
    scene.let_end("writer-v1")
    scene.story.wait({1: "Accepted"}, serving=1)


@pytest.mark.parametrize(("end", "state"), [(loss_by_seed, "Complete"), (empty_corpus, "Failed")])
def test_the_second_waits_and_starts_by_itself_when_the_first_has_ended(scene: Scene, end: Train, state: str) -> None:
    scene.make_queue(cpus=1)
    scene.create("one")
    scene.wait("one", "Running", "Training")
    scene.create("two")
    message = scene.wait("two", "Pending", "Queued")
    assert f'queue "{QUEUE}"' in message
    eventually(lambda: "insufficient unused quota for cpu" in scene.ask(message), "the command in the message says why")
    assert scene.ask(message).count("kueue.x-k8s.io/job-uid=") == 1  # and tells of this one only
    assert scene.pods("two") == []
    scene.let_end("one", end)
    scene.wait("two", "Running", "Training")
    assert scene.told("one")[0] == state
    scene.let_end("two")
    scene.wait("two", "Complete", "Trained")


def test_a_pause_leaves_the_queue_and_its_end_joins_it_again(scene: Scene) -> None:
    scene.make_queue(cpus=1)
    scene.create("one")
    scene.wait("one", "Running", "Training")
    scene.create("two")
    scene.wait("two", "Pending", "Queued")
    scene.suspend("one", True)
    scene.wait("one", "Suspended", "Suspended")
    eventually(lambda: not scene.workload("one") and not scene.job("one"), "it has left the queue")
    scene.wait("two", "Running", "Training")  # the quota is free
    assert scene.node.terminated == ["one-0"]  # asked to end, with time for a checkpoint
    scene.suspend("one", False)
    scene.wait("one", "Pending", "Queued")
    scene.let_end("two")
    scene.wait("one", "Running", "Training")
    scene.let_end("one")
    scene.wait("one", "Complete", "Trained")


def test_a_pause_that_ends_while_its_pod_still_writes_a_checkpoint(scene: Scene) -> None:
    scene.make_queue(cpus=1)
    scene.create("one")
    scene.wait("one", "Running", "Training")
    scene.node.lingers = True
    scene.suspend("one", True)
    scene.wait("one", "Suspended", "Suspended")
    scene.suspend("one", False)
    scene.wait("one", "Pending", "Starting")  # and doesn't call that training
    scene.node.lingers = False
    scene.wait("one", "Running", "Training")
    assert scene.node.terminated == ["one-0"]


def test_time_in_the_queue_does_not_count_against_the_deadline(scene: Scene) -> None:
    scene.make_queue(cpus=0)
    scene.create("one", activeDeadlineSeconds=3)
    scene.wait("one", "Pending", "Queued")
    time.sleep(4)
    assert scene.told("one")[1] == "Queued"
    scene.set_queue(**quota(1))
    scene.wait("one", "Running", "Training")
    scene.wait("one", "Failed", "DeadlineExceeded")
    eventually(lambda: scene.used() == "0", "the quota is free")


def drained(scene: Scene) -> Callable[[], None]:
    scene.set_queue(stopPolicy="HoldAndDrain")
    return lambda: scene.set_queue(stopPolicy="None")


def preempted(scene: Scene) -> Callable[[], None]:
    scene.create("two", pod={"priorityClassName": URGENT})
    scene.wait("two", "Running", "Training")
    return lambda: scene.let_end("two")


@pytest.mark.parametrize("evicted", [drained, preempted])
def test_who_is_evicted_waits_again_and_loses_no_retry(
    scene: Scene, evicted: Callable[[Scene], Callable[[], None]]
) -> None:
    scene.make_queue(cpus=1)
    scene.create("one", backoffLimit=0)
    scene.wait("one", "Running", "Training")
    is_over = evicted(scene)
    scene.wait("one", "Pending", "Queued")
    eventually(lambda: scene.node.terminated == ["one-0"] and not scene.pods("one"), "its pod was asked to end")
    is_over()
    scene.wait("one", "Running", "Training")
    assert scene.job("one")["status"].get("failed", 0) == 0
    scene.let_end("one")
    scene.wait("one", "Complete", "Trained")


def test_a_queue_that_is_not_there_is_told_and_its_coming_is_enough(scene: Scene) -> None:
    scene.make_queue(cpus=1)
    scene.create("one", queueName="reserch")
    message = scene.wait("one", "Pending", "Queued")
    assert 'queue "reserch"' in message
    eventually(lambda: "LocalQueue reserch doesn't exist" in scene.ask(message), "the command in the message says why")
    assert scene.pods("one") == []
    scene.make_local_queue("reserch")
    scene.wait("one", "Running", "Training")


def test_two_nodes_are_admitted_together_or_not_at_all(scene: Scene) -> None:
    scene.make_queue(cpus=3)
    for name in ("one", "two"):
        scene.create(name, compute={"nodes": 2})
        scene.wait(name, *(("Running", "Training") if name == "one" else ("Pending", "Queued")))
    message = scene.told("two")[2]
    eventually(lambda: "insufficient unused quota for cpu" in scene.ask(message), "Kueue has looked at it")
    assert (scene.used(), scene.pods("two")) == ("2", [])  # though one of its pods would fit
    scene.let_end("one")
    scene.wait("two", "Running", "Training")
    assert len(scene.pods("two")) == 2
    scene.let_end("two")
    scene.wait("two", "Complete", "Trained")
