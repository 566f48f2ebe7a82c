"""One job as a pod runs it, with the peak of the GPU's memory afterwards: `train.py JOB MOUNTS [--fsdp]`.

--fsdp shards the weights in a group of one process, which job.json can't ask for: it exists to try FSDP on one GPU.
"""

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import torch

from perennial_training import __main__ as command
from perennial_training import config
from perennial_training.fitting import batch_size


def main(job: str, mounts: str, *options: str) -> int:
    _measure_after_the_trial()
    if "--fsdp" in options:
        _shard()
    log = Path(job).with_suffix(".log")
    log.write_text("")
    code = command.main(
        ["train", "--config", job, "--mounts", mounts, "--termination-log", str(log), "--metrics-port", "0"]
    )
    result = json.loads(log.read_text() or "{}")
    print(json.dumps({"result": {"metrics": result.get("metrics"), "reason": result.get("reason")}}))
    return code


def _measure_after_the_trial() -> None:
    """Prints the peak that the trial found, and at the end of the training its own; both in GiB."""
    from perennial_training.fitting import trainer

    find, train = batch_size.find, trainer.JudgedTrainer.train

    def tried(*arguments: Any) -> int:
        part = find(*arguments)
        print(json.dumps({"trial": {"microBatchSize": part, "peakGiB": _peak()}}))
        return part

    def trained(*arguments: Any, **options: Any) -> Any:
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        try:
            return train(*arguments, **options)
        finally:
            print(json.dumps({"training": {"peakGiB": _peak()}}))

    batch_size.find, trainer.JudgedTrainer.train = tried, trained  # type: ignore[method-assign]


def _peak() -> float:
    return round(torch.cuda.max_memory_allocated() / 2**30, 2) if torch.cuda.is_available() else 0.0


def _shard() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    os.environ |= {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    load = config.load

    def sharded(path: Path) -> Any:
        job = load(path)
        compute = job.training.compute.model_copy(update={"sharding": "FSDP", "gpus_per_node": 1})
        return job.model_copy(update={"training": job.training.model_copy(update={"compute": compute})})

    config.load = sharded


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
