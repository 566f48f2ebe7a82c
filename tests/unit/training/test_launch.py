"""Several processes train together: how they start, and how they end when one of them does."""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from perennial_testing.training.forked_program import ForkedProgram
from perennial_training.distributed.launch import Group, exit_code, group_of, torchrun, variables

PAIR = {"PERENNIAL_NODES": "2", "MASTER_ADDR": "writer-0.writer", "MASTER_PORT": "29500"}
Start = Callable[..., ForkedProgram]
LIMIT = 240.0  # a busy machine imports torch for long


def test_one_process_is_no_group() -> None:
    assert group_of({}) is None
    assert group_of({"PERENNIAL_NODES": "1", "PERENNIAL_PROCESSES_PER_NODE": "1"}) is None


def test_a_process_of_a_group_starts_no_other() -> None:
    assert group_of(PAIR | {"RANK": "1"}) is None


def test_a_node_with_one_process_joins_by_variables() -> None:
    group = group_of(PAIR | {"JOB_COMPLETION_INDEX": "1"})
    assert group == Group(2, 1, 1, "writer-0.writer", "29500")
    assert variables(group).items() >= {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "0"}.items()


def test_a_node_with_several_is_started_by_torchrun() -> None:
    group = group_of(PAIR | {"JOB_COMPLETION_INDEX": "1", "PERENNIAL_PROCESSES_PER_NODE": "4"})
    assert group
    arguments = torchrun(group, ["perennial_training", "train"])
    assert arguments[-3:] == ["--module", "perennial_training", "train"]
    assert {"--nnodes=2", "--node-rank=1", "--nproc-per-node=4", "--master-addr=writer-0.writer"} <= set(arguments)


# What the processes of a pod ended with; what the pod ends with.
CODES = [([76, 65], 65), ([143, 1], 1), ([76, 143], 76), ([-9, 76], 137), ([-15], 143), ([78, 1], 78), ([], 1)]


@pytest.mark.parametrize(("codes", "expected"), CODES)
def test_a_pod_ends_with_the_code_that_tells_most(codes: list[int], expected: int) -> None:
    assert exit_code(codes) == expected


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts nodes of one group, as processes."""
    begun: list[ForkedProgram] = []
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])

    def run(
        *arguments: str, nodes: int = 1, index: int = 0, processes: int = 1, patience: float = LIMIT
    ) -> ForkedProgram:
        environment = os.environ | {
            "PERENNIAL_NODES": str(nodes), "PERENNIAL_PROCESSES_PER_NODE": str(processes),
            "JOB_COMPLETION_INDEX": str(index), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port,
            "PYTHONPATH": os.pathsep.join(sys.path), "PATIENCE": str(patience), "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        program = ForkedProgram("perennial_testing.training.process_group", *arguments, environment=environment)
        begun.append(program)
        return program

    yield run
    for program in begun:
        program.close()


def ended(program: ForkedProgram) -> tuple[int, str]:
    return program.ended(LIMIT)


def explanation(output: str) -> str:
    """The reason that the program's last line names, after what torch says of the failure."""
    return output.splitlines()[-1].split()[0]


def await_ranks(folder: Path, count: int) -> dict[str, int]:
    """The process of each rank, once all work together."""
    end = time.monotonic() + LIMIT
    while len(ranks := {path.name: path.read_text() for path in folder.iterdir()}) < count or "" in ranks.values():
        assert time.monotonic() < end, ranks
        time.sleep(0.05)
    return {rank: int(pid) for rank, pid in ranks.items()}


def test_two_nodes_find_each_other(start: Start) -> None:
    nodes = [start("sum", nodes=2, index=index) for index in (1, 0)]
    assert [ended(node) for node in nodes] == [(0, "rank 1 of 2: 3\n"), (0, "rank 0 of 2: 3\n")]


def test_two_nodes_with_two_processes_each_are_four(start: Start) -> None:
    nodes = [start("sum", nodes=2, index=index, processes=2) for index in (0, 1)]
    codes, outputs = zip(*map(ended, nodes), strict=True)
    assert codes == (0, 0)
    assert sorted("".join(outputs).splitlines()) == [f"rank {rank} of 4: 10" for rank in range(4)]


def test_the_shards_of_a_model_are_put_together(start: Start) -> None:
    nodes = [start("shards", nodes=2, index=index) for index in (0, 1)]
    assert [ended(node) for node in nodes] == [(0, "rank 0 whole: True\n"), (0, "rank 1 whole: True\n")]


def test_when_a_node_dies_the_other_says_that_it_lost_its_peer(start: Start, tmp_path: Path) -> None:
    nodes = [start("wait", str(tmp_path), nodes=2, index=index) for index in (0, 1)]
    await_ranks(tmp_path, 2)
    nodes[1].kill()
    code, output = ended(nodes[0])
    assert (code, explanation(output)) == (76, "PeerLost")


def test_a_node_whose_peer_never_comes_tries_again_later(start: Start) -> None:
    code, output = ended(start("sum", nodes=2, index=1, patience=2))
    assert (code, explanation(output)) == (75, "PeersNotFound")


def test_a_refusal_of_one_process_is_that_of_its_pod(start: Start) -> None:
    assert ended(start("fail", "65", "1", processes=2))[0] == 65


def test_sigterm_reaches_the_processes_of_a_pod(start: Start, tmp_path: Path) -> None:
    node = start("wait", str(tmp_path), processes=2)
    pids = await_ranks(tmp_path, 2)
    node.send_signal(signal.SIGTERM)
    assert ended(node)[0] == 143
    for pid in pids.values():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
