"""How many sequences fit into the memory at once."""

import heapq
from collections.abc import Callable
from typing import Any, cast

import torch
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size
from transformers import PreTrainedModel, default_data_collator

from perennial_contract.exits import BAD_CONFIGURATION, Failure
from perennial_contract.report import Report
from perennial_training.tasks.objective import Collator, Examples


def find(model: PreTrainedModel, dataset: Examples, collator: Collator | None, sequences: int, report: Report) -> int:
    """The largest part of `sequences` for which one step of the longest sequences fits into the GPU's memory.

    The optimizer's batch stays `sequences`: its parts are accumulated. On the CPU there is no trial, as the kernel
    kills a process that asks for too much memory.
    """
    if not torch.cuda.is_available():
        return sequences

    def step(size: int) -> None:
        cast(torch.nn.Module, model).to("cuda")
        _step(model, dataset, collator or default_data_collator, size)

    part = fitting_part(step, sequences)
    if part < sequences:
        report(f"{part} of {sequences} sequences fit into the memory at once: gradients are accumulated over the rest")
    return part


def fitting_part(step: Callable[[int], None], sequences: int) -> int:
    """The largest divisor of `sequences` that `step` has memory for; each attempt is at most half of the previous one.

    Raises exits.Failure where not even a single sequence fits.
    """
    size = sequences
    while True:
        try:
            step(size)
            return size
        except Exception as error:
            if not should_reduce_batch_size(error):
                raise
            if size == 1:
                raise out_of_memory("not even one sequence fits into the GPU's memory") from None
        clear_device_cache(garbage_collection=True)
        size = max(part for part in range(1, size // 2 + 1) if sequences % part == 0)


def out_of_memory(what: str) -> Failure:
    return Failure(
        "OutOfMemory",
        f"{what}; use a smaller microBatchSize, gradientCheckpointing, precision: bfloat16, lora, a smaller "
        "contextLength or model, or a larger GPU",
        BAD_CONFIGURATION,
    )


def _step(model: PreTrainedModel, dataset: Examples, collate: Callable[..., Any], size: int) -> None:
    longest = heapq.nlargest(size, (dataset[i] for i in range(len(dataset))), key=lambda row: len(row["input_ids"]))
    with torch.random.fork_rng():  # the trial must not change what is drawn later
        model.train()
        batch = {name: value.to(model.device) for name, value in collate(longest).items()}
        model(**batch).loss.backward()
    model.zero_grad(set_to_none=True)
