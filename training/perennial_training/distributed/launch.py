"""The processes of one training: one for each GPU of each node, or one on each node without any.

The operator sets their number in environment variables (docs/guides/training-at-scale.md). One process per node joins
the others by the variables that torch reads, which any build of torch can do; several are started and watched by
torchrun, in this process, since torchrun as a command ends with 1 whatever its workers ended with.
"""

import os
import sys
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, NoReturn

from perennial_contract import pod
from perennial_contract.exits import CONSEQUENCES, FINAL, PEER_LOST, TEMPORARY, TERMINATED, Failure

# What gloo and NCCL say when the other end is gone, where they raise no type of their own.
_LOST = ("Connection closed by peer", "Connection reset by peer", "gloo/transport", "ncclRemoteError", "NCCL error")


@dataclass(frozen=True)
class Group:
    """All processes of a training, seen from one of its nodes.

    index: which of the nodes it is, from 0. processes: on each node. address, port: where node 0 is met.
    """

    nodes: int
    index: int
    processes: int
    address: str
    port: str


def group_of(environment: Mapping[str, str]) -> Group | None:
    """The group that is still to be started; None where there is but one process, or this one is of a group already."""
    nodes, processes = int(environment.get(pod.NODES, 1)), processes_per_node(environment)
    if nodes * processes == 1 or "RANK" in environment:
        return None
    index = int(environment.get(pod.NODE_INDEX, 0))
    return Group(nodes, index, processes, environment[pod.MASTER_ADDRESS], environment[pod.MASTER_PORT])


def processes_per_node(environment: Mapping[str, str]) -> int:
    return int(environment.get(pod.PROCESSES_PER_NODE, 1))


def leads(environment: Mapping[str, str]) -> bool:
    """Whether this process is the one that reports progress and leaves the result."""
    return environment.get("RANK", "0") == "0"


def variables(group: Group) -> dict[str, str]:
    """What makes the only process of this node a part of the group; a torch without libuv needs to be told so."""
    return {
        "RANK": str(group.index),
        "LOCAL_RANK": "0",
        "WORLD_SIZE": str(group.nodes),
        "LOCAL_WORLD_SIZE": "1",
        "USE_LIBUV": "0",
    }


def torchrun(group: Group, module: list[str]) -> list[str]:
    """Arguments of torchrun for this node. A failure ends the pod: its Job starts all pods again, not torchrun."""
    return [
        f"--nnodes={group.nodes}",
        f"--node-rank={group.index}",
        f"--nproc-per-node={group.processes}",
        f"--master-addr={group.address}",
        f"--master-port={group.port}",
        "--max-restarts=0",
        "--module",
        *module,
    ]


def join(environment: MutableMapping[str, str], module: list[str]) -> None:
    """Returns in each process of the training; where it had to start several, ends with what they ended with.

    `module` names what those run: a module of Python and its arguments. Raises SystemExit.
    """
    group = group_of(environment)
    if group is None:
        return
    if group.processes == 1:
        environment.update(variables(group))
        return
    environment.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", str(pod.TRAINING_SHUTDOWN_SECONDS))
    sys.exit(_run(group, module))


def _run(group: Group, module: list[str]) -> int:
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    try:
        arguments = run.parse_args(torchrun(group, module))
        run.run(arguments)
    except ChildFailedError as error:
        return exit_code([failure.exitcode for failure in error.failures.values()])
    except SignalException:
        return TERMINATED
    return 0


def exit_code(codes: list[int]) -> int:
    """One code for several processes: what is final, else what began it; those killed by a signal count as in a shell.

    An empty list, from a group whose failures nobody saw, is an unexpected failure (1).
    """
    shown = [128 - code if code < 0 else code for code in codes]
    return min(shown, key=lambda code: (code not in FINAL, code in CONSEQUENCES), default=1)


def part(environment: Mapping[str, str]) -> None:
    """Ends the group once its leader is done: a node that ended before could not begin again with the others."""
    distributed = _distributed()
    if distributed is None or not distributed.is_initialized():
        return
    try:
        distributed.barrier()
    except RuntimeError:
        if not leads(environment):  # the leader has left its result already: nobody's end can harm that
            raise
    distributed.destroy_process_group()


def leave(code: int) -> NoReturn:
    """Ends this process with the code.

    Where a group was not parted, one of it is gone, and torch may abort (134) while it tidies up: without that then.
    """
    distributed = _distributed()
    if distributed is not None and distributed.is_initialized():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def explain(error: Exception) -> Failure | None:
    """What a failed collective means: another process is gone, or never came. None for any other error."""
    distributed = _distributed()
    if distributed is None:
        return None
    if not isinstance(error, distributed.DistError) and not any(words in str(error) for words in _LOST):
        return None
    first = (str(error).splitlines() or [""])[0]
    if distributed.is_initialized():
        return Failure("PeerLost", f"another process of the training is gone: {first}", PEER_LOST)
    return Failure("PeersNotFound", f"the processes of the training did not find each other: {first}", TEMPORARY)


def _distributed() -> Any | None:
    """torch.distributed, if torch was imported and has it."""
    torch = sys.modules.get("torch")
    return torch.distributed if torch and torch.distributed.is_available() else None
