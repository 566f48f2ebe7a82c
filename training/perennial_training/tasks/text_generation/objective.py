"""Text generation: each token is predicted from those before it (maximum likelihood)."""

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from perennial_contract.result import Baseline, Metrics
from perennial_training.tasks.architectures import decoder, own
from perennial_training.tasks.objective import Objective, finite, judging, rounded
from perennial_training.tasks.question import Question
from perennial_training.tasks.text_generation import attribution, baseline, findings
from perennial_training.tasks.text_generation.encode import Stream, encode

_MAX_LOGITS = 2**25  # numbers per batch (128 MiB as float32)


class Blocks(torch.utils.data.Dataset[dict[str, torch.Tensor]]):
    """A stream of tokens (uint32) cut into contexts; an incomplete last one is dropped."""

    def __init__(self, ids: "array[int]", context: int) -> None:
        whole = len(ids) // context * context
        self.blocks = torch.frombuffer(ids, dtype=torch.int32)[:whole].view(-1, context)

    def __len__(self) -> int:
        return len(self.blocks)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        block = self.blocks[index].long()
        return {"input_ids": block, "labels": block}


@dataclass(frozen=True)
class HeldOut:
    """Texts as one model reads them.

    ids: end, text, end, …, end (uint32); context: tokens per window; tokens: the denominator of the loss;
    size: bytes of the texts as UTF-8.
    """

    ids: "array[int]"
    context: int
    tokens: int
    size: int


class TextGenerationObjective(Objective[Stream, HeldOut]):
    auto = AutoModelForCausalLM
    families: ClassVar = {"transformer": decoder, "rnn": own("rnn"), "cnn": own("cnn"), "mlp": own("mlp")}
    peft = "CAUSAL_LM"
    shifted = True
    one_shape = True

    def dataset(self) -> Blocks:
        return Blocks(self.prepared.train.ids, self.prepared.context)

    def longest(self, count: int) -> list[dict[str, torch.Tensor]]:
        """All have the same length."""
        dataset = self.dataset()
        return [dataset[number] for number in range(count)]

    def collator(self, model: PreTrainedModel) -> None:
        return None

    def held_out(self) -> HeldOut:
        """The loss is per token of the candidate's tokenizer, so that two models' losses have one denominator."""
        stream = encode(self.prepared.corpus.validation, self.prepared.vocabulary)
        return HeldOut(stream.ids, self.prepared.context, self.prepared.validation.tokens, stream.size)

    def learned(self) -> HeldOut:
        train, count = self.prepared.corpus.train, len(self.prepared.corpus.validation)
        examples = train[:: max(1, len(train) // count)][:count]  # of all sources
        stream = encode(examples, self.prepared.vocabulary)
        return HeldOut(stream.ids, self.prepared.context, stream.tokens, stream.size)

    def measure(self, model: PreTrainedModel, held_out: HeldOut) -> Metrics:
        """loss (nats per token), perplexity and bitsPerByte; every token counts, each exactly once."""
        total = nats(model, held_out.ids, held_out.context)
        loss = finite(total / held_out.tokens)
        return {
            "loss": rounded(loss),
            "perplexity": rounded(math.exp(loss)),
            "bitsPerByte": rounded(total / math.log(2) / held_out.size),
        }

    def baseline(self) -> Baseline:
        return baseline.unigram(self.prepared)

    def findings(self, model: PreTrainedModel, held_out: HeldOut) -> dict[str, Any]:
        return {"samples": findings.continuations(self.prepared, model)}

    def questions(self, model: PreTrainedModel, held_out: HeldOut) -> list[Question]:
        return attribution.next_tokens(self.prepared, model)

    def tokens_per_step(self, batch_size: int) -> int:
        return batch_size * self.prepared.context


def nats(model: PreTrainedModel, ids: "array[int]", context: int) -> float:
    """The sum of -ln p over all tokens but the first, each predicted from up to `context` tokens before it."""
    whole = torch.frombuffer(ids, dtype=torch.int32)
    total = 0.0
    with judging(model):
        for inputs, targets in _batches(whole, context, _rows(model, context)):
            logits = model(input_ids=inputs.to(model.device).long(), use_cache=False).logits.float()
            labels = targets.to(model.device).long().flatten()
            total += torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels, reduction="sum").item()
    return total


def _batches(whole: torch.Tensor, context: int, rows: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Windows of `context` tokens side by side, `rows` at a time, then the shorter rest alone: no padding."""
    inputs, targets = whole[:-1], whole[1:]
    even = len(inputs) // context * context
    for start in range(0, even, rows * context):
        part = slice(start, min(start + rows * context, even))
        yield inputs[part].view(-1, context), targets[part].view(-1, context)
    if even < len(inputs):
        yield inputs[even:].view(1, -1), targets[even:].view(1, -1)


def _rows(model: PreTrainedModel, context: int) -> int:
    vocabulary: int = model.config.get_text_config().vocab_size
    return max(1, _MAX_LOGITS // (context * vocabulary))
