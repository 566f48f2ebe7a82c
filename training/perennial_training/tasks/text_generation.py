"""Text generation: each token is predicted from those before it (maximum likelihood)."""

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from perennial_training.encoding import stream
from perennial_training.tasks.objective import Metrics, Objective, finite, judging, rounded

_MAX_LOGITS = 2**25  # numbers per batch (128 MiB as float32)


class Blocks(torch.utils.data.Dataset):
    """A stream of tokens (uint32) cut into contexts; the rest that fills none is left out."""

    def __init__(self, ids: array, context: int) -> None:
        whole = len(ids) // context * context
        self.blocks = torch.frombuffer(ids, dtype=torch.int32)[:whole].view(-1, context)

    def __len__(self) -> int:
        return len(self.blocks)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        block = self.blocks[index].long()
        return {"input_ids": block, "labels": block}


@dataclass(frozen=True)
class HeldOut:
    """Texts as one model sees them.

    ids: end, text, end, …, end (uint32); context: tokens per window; tokens: the denominator of the loss;
    size: bytes of the texts as UTF-8.
    """

    ids: array
    context: int
    tokens: int
    size: int


class TextGeneration(Objective):
    auto = AutoModelForCausalLM
    peft = "CAUSAL_LM"
    shifted = True

    def dataset(self) -> Blocks:
        return Blocks(self.prepared.train.ids, self.prepared.context)

    def collator(self, model: PreTrainedModel) -> None:
        return None

    def held_out(self) -> HeldOut:
        """The loss is per token of the candidate's tokenizer, so that two models' losses have one denominator."""
        found = stream.encode(self.prepared.corpus.validation, self.prepared.vocabulary)
        return HeldOut(found.ids, self.prepared.context, self.prepared.validation.tokens, found.size)

    def learned(self) -> HeldOut:
        train, count = self.prepared.corpus.train, len(self.prepared.corpus.validation)
        examples = train[:: max(1, len(train) // count)][:count]  # of all sources
        found = stream.encode(examples, self.prepared.vocabulary)
        return HeldOut(found.ids, self.prepared.context, found.tokens, found.size)

    def measure(self, model: PreTrainedModel, held_out: HeldOut) -> Metrics:
        """loss (nats per token), perplexity and bitsPerByte; every token counts, each exactly once."""
        total = nats(model, held_out.ids, held_out.context)
        loss = finite(total / held_out.tokens)
        return {
            "loss": rounded(loss),
            "perplexity": rounded(math.exp(loss)),
            "bitsPerByte": rounded(total / math.log(2) / held_out.size),
        }

    def tokens_per_step(self, batch_size: int) -> int:
        return batch_size * self.prepared.context


def nats(model: PreTrainedModel, ids: array, context: int) -> float:
    """The sum of -ln p over all tokens but the first, each predicted from up to `context` tokens before it."""
    whole = torch.frombuffer(ids, dtype=torch.int32)
    total = 0.0
    with judging(model):
        for inputs, targets in _batches(whole, context, _rows(model, context)):
            logits = model(input_ids=inputs.to(model.device).long(), use_cache=False).logits.float()
            wanted = targets.to(model.device).long().flatten()
            total += torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted, reduction="sum").item()
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
    return max(1, _MAX_LOGITS // (context * model.config.get_text_config().vocab_size))
