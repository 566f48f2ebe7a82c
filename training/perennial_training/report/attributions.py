"""The share of each token in an output: integrated gradients over the embeddings (Sundararajan et al. 2017)."""

from typing import Any

import torch
from captum.attr import IntegratedGradients
from transformers import PreTrainedModel

from perennial_training.encoding.tokenizer import Vocabulary
from perennial_training.tasks.question import Question

TOLERANCE = 0.05  # of the difference that is to be explained
_STEPS = (32, 128, 512)


def attributions(vocabulary: Vocabulary, model: PreTrainedModel, questions: list[Question]) -> list[dict[str, Any]]:
    """For each question the share of each token.

    By completeness the shares add up to the difference from an input of padding alone; `error` is the missing part of
    it, relative to it, after `steps` steps of the integral.
    """
    return [_explained(vocabulary, model, question) for question in questions]


def _explained(vocabulary: Vocabulary, model: PreTrainedModel, question: Question) -> dict[str, Any]:
    embed = model.get_input_embeddings()
    ids = torch.tensor([question.ids], device=model.device)
    nothing = torch.full_like(ids, vocabulary.end if vocabulary.pad is None else vocabulary.pad)
    inputs, baseline = embed(ids).detach(), embed(nothing).detach()
    method = IntegratedGradients(question.score, multiply_by_inputs=True)
    with torch.no_grad():
        difference = (question.score(inputs) - question.score(baseline)).item()
    for steps in _STEPS:
        shares = method.attribute(inputs, baseline, n_steps=steps, internal_batch_size=32).sum(-1)[0]
        error = abs(shares.sum().item() - difference) / max(abs(difference), 1e-6)
        if error <= TOLERANCE:
            break
    return {
        "says": question.output,
        "difference": round(difference, 5),
        "error": round(error, 5),
        "steps": steps,
        "complete": error <= TOLERANCE,
        "tokens": [
            {"token": vocabulary.tokenizer.decode([number], skip_special_tokens=False), "share": round(share, 5)}
            for number, share in zip(question.ids, shares.tolist(), strict=True)
        ],
    }
