"""The baseline of text generation: a unigram model."""

import math
from collections import Counter

from perennial_contract.result import Baseline
from perennial_training.prepared import Prepared
from perennial_training.tasks.objective import rounded
from perennial_training.tasks.text_generation.encode import Stream


def unigram(prepared: Prepared[Stream]) -> Baseline:
    """Each token as often as in the training data, plus one of each (Laplace)."""
    counts = Counter(prepared.train.ids)
    total = len(prepared.train.ids) + prepared.vocabulary.size
    nats = sum(math.log(total / (counts[token] + 1)) for token in prepared.validation.ids[1:])
    loss = nats / prepared.validation.tokens
    metrics = {
        "loss": loss,
        "perplexity": math.exp(loss),
        "bitsPerByte": nats / math.log(2) / prepared.validation.size,
    }
    return Baseline(
        name="tokens as often as in the training data",
        metrics={name: rounded(value) for name, value in metrics.items()},
    )
