"""The loop that one would write by hand on a GPU, of the job's model and batches: `bare.py JOB MOUNTS [--compile]`.

Random tokens in place of the data: a bare loop's upper bound. Prints {"tokens_per_second": …}, timed between two
moments at which the GPU had nothing left to do.
"""

import json
import sys
import time
from collections.abc import Callable

import torch
from transformers import AutoModelForCausalLM, GPTNeoXConfig

from perennial_contract.job import Architecture
from perennial_training.tasks.architectures import decoder

UNTIMED, TIMED = 8, 30


def main(path: str, mounts: str, *options: str) -> None:
    with open(path) as file:
        job = json.load(file)
    architecture = Architecture.model_validate(job["model"]["architecture"])
    configuration = decoder(architecture, {"vocab_size": architecture.vocabulary_size})
    assert isinstance(configuration, GPTNeoXConfig)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = AutoModelForCausalLM.from_config(configuration).to(device)
    hyperparameters = job["training"]["hyperparameters"]
    rows, parts = hyperparameters["microBatchSize"], hyperparameters["batchSize"] // hyperparameters["microBatchSize"]
    step = _step(model, torch.compile(model) if "--compile" in options else model, parts)
    batches = torch.randint(0, architecture.vocabulary_size, (8, rows, architecture.context_length), device=device)
    began = time.monotonic()
    for number in range(UNTIMED):
        step(batches[number % 8])
    _wait()
    warm_up = time.monotonic() - began
    began = time.monotonic()
    for number in range(TIMED):
        step(batches[number % 8])
    _wait()
    tokens = TIMED * rows * parts * architecture.context_length
    print(json.dumps({"tokens_per_second": round(tokens / (time.monotonic() - began))}))
    print(json.dumps({"warm_up_seconds": round(warm_up, 1)}))


def _step(model: torch.nn.Module, forward: Callable[..., object], parts: int) -> Callable[[torch.Tensor], None]:
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4, weight_decay=0.1, fused=True)
    model.train()

    def step(batch: torch.Tensor) -> None:
        for _ in range(parts):
            with torch.autocast(batch.device.type, dtype=torch.bfloat16):
                loss = forward(input_ids=batch, labels=batch).loss / parts  # type: ignore[attr-defined]
            loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


if __name__ == "__main__":
    main(*sys.argv[1:])
