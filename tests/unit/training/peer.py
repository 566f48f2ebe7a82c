"""A program of several processes, started as the training is: sums their ranks until told otherwise.

peer.py sum | wait FOLDER | fail CODE RANK
"""

import os
import sys
import time
from datetime import timedelta
from pathlib import Path

from perennial_artifact.exits import Failure
from perennial_training import launch
from perennial_training.termination import Termination


def main(arguments: list[str]) -> int:
    launch.join(os.environ, ["peer", *arguments])
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


def run(what: str, *rest: str) -> int:
    rank = int(os.environ["RANK"])
    if what == "wait":
        total()
        Path(rest[0], str(rank)).write_text(str(os.getpid()))
        while total():
            time.sleep(0.05)
    if what == "fail" and rank == int(rest[1]):
        sys.exit(int(rest[0]))
    if rank == 0:
        time.sleep(1)  # the others stay
    print(f"rank {rank} of {os.environ['WORLD_SIZE']}: {total()}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
