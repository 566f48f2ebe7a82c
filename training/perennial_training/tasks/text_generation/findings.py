"""Continuations of held-out texts."""

import torch
from transformers import PreTrainedModel

from perennial_training.prepared import Prepared
from perennial_training.tasks.objective import judging
from perennial_training.tasks.samples import EXAMPLES, Sample, shortened
from perennial_training.tasks.text_generation.encode import Stream


def continuations(prepared: Prepared[Stream], model: PreTrainedModel) -> list[Sample]:
    """The first half of some texts, the model's greedy continuation, and the original."""
    tokenizer = prepared.vocabulary.tokenizer
    samples: list[Sample] = []
    for example in prepared.corpus.validation[:EXAMPLES]:
        ids = tokenizer.encode(example.roles["text"], add_special_tokens=False).ids[: prepared.context]
        half = len(ids) // 2
        if half < 1:
            continue
        continued = list(ids[:half])
        with judging(model):
            while len(continued) < len(ids):
                tokens = torch.tensor([continued], device=model.device)
                continued.append(int(model(input_ids=tokens, use_cache=False).logits[0, -1].argmax()))
        parts = {"text": ids[:half], "model": continued[half:], "original": ids[half:]}
        samples.append({name: shortened(tokenizer.decode(part)) for name, part in parts.items()})
    return samples
