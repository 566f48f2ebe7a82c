"""The trial of the batch size, on the CPU with a GPU's memory imitated: what its steps do, and which rows they take."""

import pytest
import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, Trainer, TrainingArguments

from perennial_training.encoding.rows import Rows
from perennial_training.fitting import batch_size
from perennial_training.tasks.sentiment_analysis.objective import SentimentAnalysisObjective

LENGTH = 8


class Spy(GPTNeoXForCausalLM):
    """Notes of each step the rows, the type that was computed with, and whether gradients were there."""

    def forward(self, input_ids, **rest):
        self.seen.append((len(input_ids), torch.is_autocast_enabled("cpu"), self.lm_head.weight.grad is not None))
        if len(input_ids) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate a lot")
        return super().forward(input_ids, **rest)


@pytest.fixture
def gpu(monkeypatch):
    for name in ("set_per_process_memory_fraction", "reset_peak_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, lambda *_: None)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 3 * 2**30)


def runner(folder, room, **arguments):
    config = GPTNeoXConfig(
        vocab_size=50, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2
    )
    model = Spy(config)
    model.seen, model.room = [], room
    options = TrainingArguments(output_dir=str(folder), use_cpu=True, report_to="none", **arguments)
    return Trainer(model=model, args=options)


def rows(count):
    return [{"input_ids": torch.arange(LENGTH), "labels": torch.arange(LENGTH)} for _ in range(count)]


def test_the_trial_computes_as_the_training_does_and_adds_the_second_part_to_the_first(tmp_path, gpu):
    said = []
    trial = runner(tmp_path, room=2, bf16=True, activation_checkpointing=True)
    before = [weight.clone() for weight in trial.model.parameters()]
    assert batch_size.find(trial, rows(8), said.append) == 2
    assert trial.model.seen == [(8, True, False), (4, True, False), (2, True, False), (2, True, True)]
    assert trial.model.is_activation_checkpointing
    assert said == ["2 of 8 sequences are computed at once; a step of the longest takes 3.0 GiB of the GPU"]
    assert all(torch.equal(old, new) for old, new in zip(before, trial.model.parameters(), strict=True))


def test_a_batch_that_fits_whole_meets_no_gradients(tmp_path, gpu):
    trial = runner(tmp_path, room=8)
    assert batch_size.find(trial, rows(8), lambda line: None) == 8
    assert trial.model.seen == [(8, False, False)]


def test_the_longest_rows_are_tried(monkeypatch):
    objective = object.__new__(SentimentAnalysisObjective)
    train = Rows([{"input_ids": [1] * length} for length in (3, 9, 1, 7)], [])
    objective.prepared = type("Prepared", (), {"train": train})()
    assert [len(row["input_ids"]) for row in objective.longest(2)] == [9, 7]
