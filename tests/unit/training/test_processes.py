"""Two processes that train together: what one alone learns with the whole batch, and what becomes of a stop."""

import socket
from collections.abc import Callable
from typing import Any

import pytest

from perennial_contract import manifest
from perennial_contract.exits import TERMINATED
from perennial_testing.training.forked_program import ForkedProgram
from perennial_testing.training.task_corpora import give

TIMEOUT = 120


@pytest.fixture
def together(pod) -> Callable[[], list[ForkedProgram]]:
    """Starts the job of `pod` as two pods with one process each."""

    def start() -> list[ForkedProgram]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        pod.job["training"]["compute"] = {"nodes": 2, "gpusPerNode": 0, "sharding": "None"}
        group = {
            "PERENNIAL_NODES": "2", "PERENNIAL_PROCESSES_PER_NODE": "1",
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        return [pod.start(JOB_COMPLETION_INDEX=str(index), **group) for index in (0, 1)]

    return start


def ended(pod: Any, nodes: list[ForkedProgram]) -> list[Any]:
    return [pod.ended(*node.ended(TIMEOUT)) for node in nodes]


def elsewhere(pod: Any, uid: str) -> None:
    pod.job["job"]["uid"] = uid
    pod.job["output"] = {"uri": f"pvc://models/tiny/{uid}"}


def test_two_learn_what_one_learns_with_the_whole_batch(pod, together):
    pod.job["model"]["architecture"]["dropout"] = 0.0
    alone = pod.run()
    assert alone.code == 0, alone.output
    elsewhere(pod, "uid-2")
    leader, follower = ended(pod, together())
    assert (leader.code, follower.code) == (0, 0), leader.output + follower.output
    assert follower.progress == []
    assert [step for step, _ in leader.curve] == [step for step, _ in alone.curve]
    for (_, loss), (_, other) in zip(leader.curve, alone.curve, strict=True):
        assert loss == pytest.approx(other, rel=1e-4)
    assert manifest.verify(pod.output, None)["metrics"] == leader.message["metrics"]


def test_the_loss_that_two_tell_is_that_of_the_whole_batch(pod, together):
    """BERT's own is the mean over what one process has, which the Trainer would take for a share of the whole."""
    give(pod, "sentiment-analysis")
    pod.job["training"]["hyperparameters"] |= {"maxSteps": 3, "learningRate": 1e-6}
    pod.job["training"]["evaluateEverySteps"] = 1
    leader, _ = ended(pod, together())
    told = [line["loss"] for line in leader.progress if "loss" in line]
    assert told == pytest.approx([leader.message["initialMetrics"]["loss"]] * len(told), rel=0.05)
    assert len(told) == 3


def test_a_stop_of_one_is_a_stop_of_both_and_they_go_on_together(pod, together):
    pod.job["training"]["hyperparameters"]["maxSteps"] = 400
    pod.job["training"] |= {"evaluateEverySteps": 20, "checkpoints": {"everySteps": 100, "historyLimit": 1}}
    undisturbed, _ = ended(pod, together())
    assert undisturbed.code == 0, undisturbed.output
    elsewhere(pod, "uid-2")
    nodes = together()
    for line in nodes[0].stdout:
        if '"step": 20' in line:
            nodes[1].terminate()
            break
    stopped = ended(pod, nodes)
    assert [node.code for node in stopped] == [TERMINATED, TERMINATED], stopped
    leader, follower = ended(pod, together())
    assert (leader.code, follower.code) == (0, 0), leader.output + follower.output
    assert "going on from checkpoint-" in leader.output
    assert "going on from checkpoint-" in follower.output
    assert leader.message["metrics"] == undisturbed.message["metrics"]


def test_a_finished_job_gives_its_result_again_to_both(pod, together):
    first, _ = ended(pod, together())
    again, other = ended(pod, together())
    assert (again.code, other.code) == (0, 0)
    assert again.message == first.message
