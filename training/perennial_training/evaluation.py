"""How well a model predicts held-out texts: every token of them, each exactly once."""

import math
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from perennial_artifact.exits import BAD_DATA, Failure

_MAX_LOGITS = 2**25  # numbers per batch (128 MiB as float32)


@dataclass(frozen=True)
class HeldOut:
    """The validation texts as one model sees them.

    ids: end, text, end, …, end (uint32); context: tokens per window; tokens: the denominator of the loss;
    size: bytes of the texts as UTF-8.
    """

    ids: array
    context: int
    tokens: int
    size: int


def metrics(model: PreTrainedModel, held_out: HeldOut) -> dict[str, float]:
    """loss (nats per token), perplexity and bitsPerByte, rounded once and for all to 6 significant digits.

    Raises exits.Failure where they are not finite numbers.
    """
    total = nats(model, held_out.ids, held_out.context)
    loss = total / held_out.tokens
    refuse_non_finite(loss)
    return {
        "loss": rounded(loss),
        "perplexity": rounded(math.exp(loss)),
        "bitsPerByte": rounded(total / math.log(2) / held_out.size),
    }


def nats(model: PreTrainedModel, ids: array, context: int) -> float:
    """The sum of -ln p over all tokens but the first, each predicted from up to `context` tokens before it."""
    stream = torch.frombuffer(ids, dtype=torch.int32)
    total = 0.0
    with _judging(model):
        for inputs, targets in _batches(stream, context, _rows(model, context)):
            logits = model(input_ids=inputs.to(model.device).long(), use_cache=False).logits.float()
            wanted = targets.to(model.device).long().flatten()
            total += torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted, reduction="sum").item()
    return total


def refuse_non_finite(loss: float) -> None:
    """A loss past 700 has no perplexity either, and no model comes back from there."""
    if not math.isfinite(loss) or loss > 700:
        raise Failure(
            "NonFiniteLoss",
            f"the loss became {loss:g}: the training diverged; try a smaller learningRate, more warmupSteps "
            "or a smaller maxGradientNorm",
            BAD_DATA,
        )


def rounded(number: float) -> float:
    return float(f"{number:.6g}")


@contextmanager
def _judging(model: PreTrainedModel) -> Iterator[None]:
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)


def _batches(stream: torch.Tensor, context: int, rows: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Windows of `context` tokens side by side, `rows` at a time, then the shorter rest alone: no padding."""
    inputs, targets = stream[:-1], stream[1:]
    whole = len(inputs) // context * context
    for start in range(0, whole, rows * context):
        part = slice(start, min(start + rows * context, whole))
        yield inputs[part].view(-1, context), targets[part].view(-1, context)
    if whole < len(inputs):
        yield inputs[whole:].view(1, -1), targets[whole:].view(1, -1)


def _rows(model: PreTrainedModel, context: int) -> int:
    return max(1, _MAX_LOGITS // (context * model.config.get_text_config().vocab_size))
