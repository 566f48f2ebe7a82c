"""What a task has to say for itself; the training loop knows no more of it."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import torch
from transformers import AutoTokenizer, PreTrainedModel

from perennial_contract.exits import BAD_DATA, Failure
from perennial_training.encoding.rows import Row, Rows
from perennial_training.preparation import Prepared

Metrics = dict[str, float]
_TOKENS_PER_BATCH = 2**13  # when judging


class Objective(ABC):
    """A task's model class, its batches, its loss and its metrics.

    `auto` is the class of transformers that loads its models; `peft` the name of the task in peft; `shifted` whether
    the model shifts its labels by one token itself; `own_loss_is_of_a_part` whether its own loss is the mean over a
    part of the batch, however many parts and processes there are; what the Trainer makes of those is then wrong.
    """

    auto: ClassVar[Any]
    peft: ClassVar[str]
    shifted: ClassVar[bool] = False
    own_loss_is_of_a_part: ClassVar[bool] = False

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared

    @abstractmethod
    def dataset(self) -> torch.utils.data.Dataset:
        """What is learned from, as the Trainer wants it."""

    @abstractmethod
    def collator(self, model: PreTrainedModel) -> Callable[[list[Row]], dict[str, torch.Tensor]] | None:
        """Makes a batch of rows of different length; None where all are of the same."""

    @abstractmethod
    def held_out(self) -> Any:
        """The validation examples as a model with this tokenizer, context and labels sees them."""

    @abstractmethod
    def learned(self) -> Any:
        """As many of the training examples as are held out, in the form of `held_out`."""

    @abstractmethod
    def measure(self, model: PreTrainedModel, held_out: Any) -> Metrics:
        """The metrics of every evaluation, "loss" among them, rounded. exits.Failure where it isn't finite."""

    def assess(self, model: PreTrainedModel, held_out: Any) -> Metrics:
        """All metrics: those too that take too long for every evaluation."""
        return self.measure(model, held_out)

    def tokens_per_step(self, batch_size: int) -> int:
        return round(batch_size * self.prepared.train.tokens / max(1, len(self.dataset())))  # type: ignore[arg-type]


class RowObjective(Objective):
    """A task whose examples are padded to the longest of their batch."""

    def dataset(self) -> torch.utils.data.Dataset:
        return self.prepared.train.rows

    def learned(self) -> Rows:
        train = self.prepared.train
        step = max(1, len(train.rows) // max(1, len(self.prepared.validation.rows)))
        return self.picked(train, range(0, len(train.rows), step))

    def picked(self, found: Rows, numbers: range) -> Rows:
        """Some of the rows, each of which is an example of its own."""
        return Rows([found.rows[i] for i in numbers], [found.examples[i] for i in numbers])

    def tokenizer(self) -> Any:
        """One that can pad: where it has no token for that, as GPT-2's, with the one that ends a text."""
        found = AutoTokenizer.from_pretrained(self.prepared.tokenizer, local_files_only=True, trust_remote_code=False)
        if found.pad_token is None:
            found.pad_token = found.convert_ids_to_tokens(self.prepared.vocabulary.end)
        return found

    def outputs(self, model: PreTrainedModel, held_out: Rows) -> Iterator[tuple[list[int], dict[str, Any], Any]]:
        """Of each batch the numbers of its rows, its inputs, and what the model makes of them."""
        collate = self.collator(model)
        assert collate is not None
        order = sorted(range(len(held_out.rows)), key=lambda number: len(held_out.rows[number]["input_ids"]))
        with judging(model):
            for numbers in batches(order, [len(row["input_ids"]) for row in held_out.rows]):
                batch = dict(collate([held_out.rows[number] for number in numbers]))
                batch = {name: tensor.to(model.device) for name, tensor in batch.items()}
                yield numbers, batch, model(**batch)


def batches(order: list[int], lengths: list[int]) -> Iterator[list[int]]:
    """Runs of `order`, which is by length, none of more padded tokens than a batch takes (a row at least)."""
    start = 0
    for stop in range(1, len(order) + 1):
        if stop == len(order) or (stop + 1 - start) * lengths[order[stop]] > _TOKENS_PER_BATCH:
            yield order[start:stop]
            start = stop


@contextmanager
def judging(model: PreTrainedModel) -> Iterator[None]:
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)


def finite(loss: float) -> float:
    """A loss past 700 has no perplexity either, and no model comes back from there."""
    if not math.isfinite(loss) or loss > 700:
        raise Failure(
            "NonFiniteLoss",
            f"the loss became {loss:g}: the training diverged; try a smaller learningRate, more warmupSteps "
            "or a smaller maxGradientNorm",
            BAD_DATA,
        )
    return loss


def rounded(number: float) -> float:
    """Once and for all to 6 significant digits."""
    return float(f"{number:.6g}")


def load(auto: Any, folder: Path, **more: Any) -> PreTrainedModel:
    """A saved model as float32: safetensors only, and no code from its folder. Raises exits.Failure."""
    try:
        return auto.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, trust_remote_code=False, local_files_only=True, **more
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise Failure("UnknownModel", f"the model in {folder} can't be loaded: {reason}", BAD_DATA) from None
