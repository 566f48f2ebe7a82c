"""What the training loop knows of a task: its model, batches, loss, metrics, baseline and report. Loads torch."""

import heapq
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import torch
from torch import Tensor
from transformers import AutoTokenizer, PreTrainedModel

from perennial_contract.exits import BAD_DATA, Failure
from perennial_contract.result import Baseline, Metrics
from perennial_training.encoding.rows import Row, Rows, tokens
from perennial_training.prepared import Encoded, Prepared
from perennial_training.tasks.architectures import Configure
from perennial_training.tasks.question import Question

Collator = Callable[[list[Row]], dict[str, Tensor]]
HeldOut = TypeVar("HeldOut")
_TOKENS_PER_BATCH = 2**13  # when judging


class Examples(Protocol):
    """A dataset of torch: anything with a length and items."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Row: ...


class Objective(ABC, Generic[Encoded, HeldOut]):
    """The torch half of a task, for encoded training examples and held-out examples in a form of their own.

    auto: the class of transformers that loads its models; families: the configuration of a new network by family;
    peft: the name of the task in peft; shifted: whether the model shifts its labels by one token itself;
    own_loss_is_of_a_part: whether its own loss is the mean over a part of the batch, however many parts and processes
    there are, which the Trainer would add up wrongly; one_shape: whether all its batches have the same.
    """

    auto: ClassVar[Any]
    families: ClassVar[Mapping[str, Configure]]
    peft: ClassVar[str]
    shifted: ClassVar[bool] = False
    own_loss_is_of_a_part: ClassVar[bool] = False
    one_shape: ClassVar[bool] = False

    def __init__(self, prepared: Prepared[Encoded]) -> None:
        self.prepared = prepared

    @abstractmethod
    def dataset(self) -> Examples:
        """The training examples for the Trainer."""

    @abstractmethod
    def longest(self, count: int) -> list[Row]:
        """So many of the training examples, none of them shorter than the rest."""

    @abstractmethod
    def collator(self, model: PreTrainedModel) -> Collator | None:
        """Makes a batch of rows of different length; None where all have the same."""

    @abstractmethod
    def held_out(self) -> HeldOut:
        """The validation examples as a model with this tokenizer, context and labels reads them."""

    @abstractmethod
    def learned(self) -> HeldOut:
        """As many training examples as are held out, in the form of `held_out`."""

    @abstractmethod
    def measure(self, model: PreTrainedModel, held_out: HeldOut) -> Metrics:
        """The metrics of every evaluation, "loss" among them, rounded. exits.Failure if it isn't finite."""

    def assess(self, model: PreTrainedModel, held_out: HeldOut) -> Metrics:
        """All metrics, including those that take too long for every evaluation."""
        return self.measure(model, held_out)

    @abstractmethod
    def baseline(self) -> Baseline:
        """A naive rule, measured on the held-out examples."""

    @abstractmethod
    def findings(self, model: PreTrainedModel, held_out: HeldOut) -> dict[str, Any]:
        """Outputs of the model on held-out examples, as plain data for the report."""

    @abstractmethod
    def questions(self, model: PreTrainedModel, held_out: HeldOut) -> list[Question]:
        """Outputs on a few held-out examples whose dependence on the tokens the report explains."""

    def tokens_per_step(self, batch_size: int) -> int:
        return round(batch_size * self.prepared.train.tokens / max(1, len(self.dataset())))


class RowObjective(Objective[Rows, Rows]):
    """A task whose examples are padded to the longest of their batch."""

    def dataset(self) -> list[Row]:
        return self.prepared.train.rows

    def longest(self, count: int) -> list[Row]:
        return heapq.nlargest(count, self.prepared.train.rows, key=tokens)

    def learned(self) -> Rows:
        train = self.prepared.train
        step = max(1, len(train.rows) // max(1, len(self.prepared.validation.rows)))
        return self.picked(train, range(0, len(train.rows), step))

    def picked(self, rows: Rows, numbers: range) -> Rows:
        """Some of the rows, each of which is an example of its own."""
        return Rows([rows.rows[i] for i in numbers], [rows.examples[i] for i in numbers])

    def tokenizer(self) -> Any:
        """With a token for padding; if it lacks one, as GPT-2's does, the one that ends a text."""
        tokenizer = AutoTokenizer.from_pretrained(
            self.prepared.tokenizer, local_files_only=True, trust_remote_code=False
        )
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.convert_ids_to_tokens(self.prepared.vocabulary.end)
        return tokenizer

    def outputs(self, model: PreTrainedModel, held_out: Rows) -> Iterator[tuple[list[int], dict[str, Tensor], Any]]:
        """For each batch the numbers of its rows, its inputs, and the model's outputs."""
        collate = self.collator(model)
        assert collate is not None
        order = sorted(range(len(held_out.rows)), key=lambda number: len(held_out.rows[number]["input_ids"]))
        with judging(model):
            for numbers in batches(order, [len(row["input_ids"]) for row in held_out.rows]):
                batch = dict(collate([held_out.rows[number] for number in numbers]))
                batch = {name: tensor.to(model.device) for name, tensor in batch.items()}
                yield numbers, batch, model(**batch)


def batches(order: list[int], lengths: list[int]) -> Iterator[list[int]]:
    """Runs of `order`, which is by length, each of as many padded tokens as a batch may have (at least one row)."""
    start = 0
    for stop in range(1, len(order) + 1):
        if stop == len(order) or (stop + 1 - start) * lengths[order[stop]] > _TOKENS_PER_BATCH:
            yield order[start:stop]
            start = stop


@contextmanager
def judging(model: PreTrainedModel) -> Iterator[None]:
    was_training = model.training
    model.train(False)
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)


def finite(loss: float) -> float:
    """Raises exits.Failure; a loss past 700 has no perplexity either, and no training recovers from it."""
    if not math.isfinite(loss) or loss > 700:
        raise Failure(
            "NonFiniteLoss",
            f"the loss became {loss:g}: the training diverged; try a smaller learningRate, more warmupSteps "
            "or a smaller maxGradientNorm",
            BAD_DATA,
        )
    return loss


def rounded(number: float) -> float:
    """To 6 significant digits."""
    return float(f"{number:.6g}")
