"""How many sequences fit into the memory at once."""

from collections.abc import Callable

import torch
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size
from transformers import Trainer, default_data_collator

from perennial_contract.exits import BAD_CONFIGURATION, Failure
from perennial_contract.report import Report
from perennial_training.distributed import processes
from perennial_training.encoding.rows import Row

# Of the GPU's memory: batches of changing lengths leave gaps, and NCCL needs some that torch does not count.
_USABLE = 0.95


def find(runner: Trainer, rows: list[Row], report: Report) -> int:
    """The largest part of `rows`, the longest of the data, whose step fits into the memory of this process's GPU.

    `runner` has a model of its own, of which nothing is used afterwards. The optimizer's batch stays as large as
    `rows`: its parts are accumulated.
    """
    model = runner.accelerator.prepare_model(runner.model, evaluation_mode=True)  # autocast, but no other process
    if runner.args.activation_checkpointing:
        model.activation_checkpointing_enable()

    def step(size: int) -> None:
        _step(runner, model, rows[:size], len(rows) // size)

    torch.cuda.set_per_process_memory_fraction(_USABLE)
    try:
        part = fitting_part(step, len(rows))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    peak = torch.cuda.max_memory_allocated() / 2**30
    report(
        f"{part} of {len(rows)} sequences are computed at once; a step of the longest takes {peak:.1f} GiB of the GPU"
    )
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


def _step(runner: Trainer, model: torch.nn.Module, rows: list[Row], parts: int) -> None:
    """All that a step later in the training holds: see the comments; AdamW's update needs nothing beyond that."""
    model.zero_grad(set_to_none=True)
    torch.cuda.reset_peak_memory_stats()
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    copies = 2 if processes.count() == 1 else 3  # AdamW's two moments of each weight; DDP's buckets of the gradients
    held = [torch.empty_like(weight) for weight in trained for _ in range(copies)]
    runner.current_gradient_accumulation_steps = parts
    for _ in range(min(2, parts)):  # the second part of a batch comes while the gradients of the first are there
        runner.training_step(model, (runner.data_collator or default_data_collator)(rows))
    del held
