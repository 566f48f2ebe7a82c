"""What the processes of one training tell each other (see launch); one that is alone has nothing to wait for."""

import os
from datetime import timedelta
from typing import TypeVar, cast

import torch
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.tensor import DTensor

from perennial_training.distributed import launch

T = TypeVar("T")
# The others wait while the leader judges, explains and publishes what was learned.
_PATIENCE = timedelta(hours=2)


def begin() -> None:
    """Takes the GPU that is this process's own, and joins the group that the environment names, if it names one."""
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    if count() > 1 and not torch.distributed.is_initialized():
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        torch.distributed.init_process_group(backend, timeout=_PATIENCE)


def device() -> torch.device:
    """Where this process computes."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def count() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def leads() -> bool:
    """Whether this is the process that writes, reports and publishes."""
    return launch.leads(os.environ)


def leads_its_node() -> bool:
    return os.environ.get("LOCAL_RANK", "0") == "0"


def shared(value: T) -> T:
    """The leader's value, in every process."""
    if count() == 1:
        return value
    box = [value]
    torch.distributed.broadcast_object_list(box, src=0)
    return box[0]


def any_of(flag: bool) -> bool:
    """Whether it is true in one of the processes."""
    if count() == 1:
        return flag
    votes = torch.tensor([int(flag)])
    torch.distributed.all_reduce(votes, torch.distributed.ReduceOp.MAX)
    return bool(votes.item())


def wait_for_all() -> None:
    if count() > 1:
        torch.distributed.barrier()


def whole_weights(model: torch.nn.Module) -> dict[str, torch.Tensor] | None:
    """All weights on the CPU, put together from the shards of all processes; None where the model is whole here."""
    if not any(isinstance(weight, DTensor) for weight in model.parameters()):
        return None
    whole = get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    return cast(dict[str, torch.Tensor], whole)
