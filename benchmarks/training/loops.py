"""The same training without Perennial around it: `python loops.py bare|trainer JOB MOUNTS`.

Model, first weights, data, batch size, optimiser and schedule are those of the job; a line "step N" is printed every
second.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments, get_scheduler

from perennial_training import config, preparation
from perennial_training.tasks import TASKS, architectures

EVERY_SECONDS = 1.0


class Clock:
    def __init__(self) -> None:
        self.told = time.monotonic()

    def tick(self, step: int) -> None:
        if time.monotonic() - self.told >= EVERY_SECONDS:
            self.told = time.monotonic()
            print(f"step {step}", flush=True)


def bare(model: Any, dataset: Any, wanted: config.Hyperparameters) -> None:
    """What one would write by hand."""
    loader = torch.utils.data.DataLoader(dataset, wanted.batch_size, shuffle=True, drop_last=True)
    decayed = [weight for weight in model.parameters() if weight.dim() > 1]
    rest = [weight for weight in model.parameters() if weight.dim() <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": wanted.weight_decay}, {"params": rest, "weight_decay": 0.0}],
        lr=wanted.learning_rate,
        fused=True,
    )
    schedule = get_scheduler("cosine", optimizer, wanted.warmup_steps, wanted.max_steps)
    clock, step = Clock(), 0
    model.train()
    while step < wanted.max_steps:
        for batch in loader:
            model(**batch).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), wanted.max_gradient_norm)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            step += 1
            clock.tick(step)
            if step == wanted.max_steps:
                break


class Ticking(TrainerCallback):
    def __init__(self) -> None:
        self.clock = Clock()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.clock.tick(state.global_step)


def trainer(model: Any, dataset: Any, wanted: config.Hyperparameters) -> None:
    """transformers' Trainer as its documentation shows it."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            max_steps=wanted.max_steps,
            per_device_train_batch_size=wanted.batch_size,
            learning_rate=wanted.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=wanted.warmup_steps,
            weight_decay=wanted.weight_decay,
            max_grad_norm=wanted.max_gradient_norm,
            dataloader_drop_last=True,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        runner = Trainer(model=model, args=arguments, train_dataset=dataset, callbacks=[Ticking()])
        runner.remove_callback(PrinterCallback)
        runner.train()


def main(which: str, job: str, mounts: str) -> None:
    wanted = config.load(Path(job))
    with tempfile.TemporaryDirectory() as work:
        prepared = preparation.prepare(wanted, Path(mounts), Path(work), lambda line: None)
        task = TASKS[wanted.task].objective(prepared)
        assert wanted.model.architecture is not None
        seed = wanted.training.hyperparameters.seed
        architecture = wanted.model.architecture
        configure = task.families[architecture.family]
        model = architectures.create(task.auto, configure, architecture, prepared, seed)
        {"bare": bare, "trainer": trainer}[which](model, task.dataset(), wanted.training.hyperparameters)


if __name__ == "__main__":
    main(*sys.argv[1:])
