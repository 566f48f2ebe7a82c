"""A program of several processes, started like the training: sums the ranks of its group.

python -m perennial_testing.training.process_group sum | wait FOLDER | fail CODE RANK | shards
"""

import os
import sys
import time
from datetime import timedelta
from pathlib import Path

from perennial_contract.exits import Failure
from perennial_training.distributed import launch
from perennial_training.distributed.termination import Termination


def main(arguments: list[str]) -> int:
    launch.join(os.environ, ["perennial_testing.training.process_group", *arguments])
    import torch

    Termination()
    try:
        torch.distributed.init_process_group("gloo", timeout=timedelta(seconds=float(os.environ["PATIENCE"])))
        code = run(*arguments)
        launch.part(os.environ)
        return code
    except Failure as failure:
        return failure.code
    except Exception as error:
        found = launch.explain(error)
        if found is None:
            raise
        print(found.reason, found.message, flush=True)
        return found.code


def total() -> int:
    import torch

    number = torch.tensor([int(os.environ["RANK"]) + 1])
    torch.distributed.all_reduce(number)
    return int(number)


def shards() -> str:
    """What the leader puts together of a model that is split among all."""
    import torch
    from torch.distributed.fsdp import fully_shard

    from perennial_training.distributed.processes import whole_weights

    torch.manual_seed(1)
    model = torch.nn.Linear(4, 4)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    assert whole_weights(model) is None
    found = whole_weights(fully_shard(model, mesh=torch.distributed.device_mesh.init_device_mesh("cpu", (2,))))
    same = found is not None and all(torch.equal(found[name], weight) for name, weight in before.items() if found)
    return f"whole: {same or not found}"


def run(what: str, *rest: str) -> int:
    rank = int(os.environ["RANK"])
    if what == "wait":
        total()
        Path(rest[0], str(rank)).write_text(str(os.getpid()))
        while total():
            time.sleep(0.05)
    if what == "shards":
        print(f"rank {rank} {shards()}", flush=True)
        return 0
    if what == "fail" and rank == int(rest[1]):
        sys.exit(int(rest[0]))
    if rank == 0:
        time.sleep(1)  # the others stay
    print(f"rank {rank} of {os.environ['WORLD_SIZE']}: {total()}", flush=True)
    return 0


if __name__ == "__main__":
    launch.leave(main(sys.argv[1:]))
