"""Which tokens a model says something for: integrated gradients over the embeddings (Sundararajan et al. 2017)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from captum.attr import IntegratedGradients
from torch import Tensor
from transformers import PreTrainedModel

from perennial_training.tasks.objective import Objective
from perennial_training.tasks.question_answering import QuestionAnswering
from perennial_training.tasks.sentiment_analysis import SentimentAnalysis
from perennial_training.tasks.text_generation import TextGeneration

EXAMPLES = 4
TOLERANCE = 0.05  # of the difference that is to be explained
_STEPS = (32, 128, 512)
_TOKENS = 64


@dataclass(frozen=True)
class Question:
    """What is asked about one example.

    ids [tokens]; score: from embeddings [batch, tokens, hidden] to one number each [batch]; said: that number in words.
    """

    ids: list[int]
    score: Callable[[Tensor], Tensor]
    said: str


def attributions(task: Objective, model: PreTrainedModel, held_out: Any) -> list[dict[str, Any]]:
    """For a few held-out examples the share of each token.

    By completeness the shares add up to the difference from an input of padding alone; `error` is what is missing of
    it, relative to it, after so many steps of the integral.
    """
    model.eval()
    return [_explained(task, model, question) for question in _questions(task, model, held_out)]


def _explained(task: Objective, model: PreTrainedModel, question: Question) -> dict[str, Any]:
    embed = model.get_input_embeddings()
    vocabulary = task.prepared.vocabulary
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
        "says": question.said,
        "difference": round(difference, 5),
        "error": round(error, 5),
        "steps": steps,
        "complete": error <= TOLERANCE,
        "tokens": [
            {"token": vocabulary.tokenizer.decode([number], skip_special_tokens=False), "share": round(share, 5)}
            for number, share in zip(question.ids, shares.tolist(), strict=True)
        ],
    }


def _questions(task: Objective, model: PreTrainedModel, held_out: Any) -> list[Question]:
    if isinstance(task, TextGeneration):
        encode = task.prepared.vocabulary.tokenizer.encode
        texts = [example.roles["text"] for example in task.prepared.corpus.validation[:EXAMPLES]]
        found = [encode(text, add_special_tokens=False).ids for text in texts]
        length = max(2, min(_TOKENS, task.prepared.context) // 2)
        return [_next_token(task, model, ids[:length]) for ids in found if ids]
    rows = [row["input_ids"] for row in held_out.rows[:EXAMPLES]]
    if isinstance(task, SentimentAnalysis):
        return [_class(model, ids) for ids in rows]
    if isinstance(task, QuestionAnswering):
        return [_span(task, model, held_out.rows[number]) for number in range(min(EXAMPLES, len(held_out.rows)))]
    return [_first_word(task, model, ids) for ids in rows]


def _next_token(task: Objective, model: PreTrainedModel, ids: list[int]) -> Question:
    def score(embedded: Tensor) -> Tensor:
        return model(inputs_embeds=embedded, use_cache=False).logits[:, -1].log_softmax(-1)[:, token]

    tokens = torch.tensor([ids], device=model.device)
    with torch.no_grad():
        token = int(model(input_ids=tokens, use_cache=False).logits[0, -1].argmax())
    word = task.prepared.vocabulary.tokenizer.decode([token], skip_special_tokens=False)
    return Question(ids, score, f"ln p of the next token {word!r}")


def _class(model: PreTrainedModel, ids: list[int]) -> Question:
    def score(embedded: Tensor) -> Tensor:
        return model(inputs_embeds=embedded).logits[:, number]

    with torch.no_grad():
        number = int(model(input_ids=torch.tensor([ids], device=model.device)).logits[0].argmax())
    return Question(ids, score, f"logit of {model.config.id2label[number]}")


def _span(task: QuestionAnswering, model: PreTrainedModel, row: dict[str, Any]) -> Question:
    ids, more = row["input_ids"], {}
    if "token_type_ids" in task.collator(model)([row]):
        more["token_type_ids"] = torch.tensor([row["token_type_ids"]], device=model.device)

    def score(embedded: Tensor) -> Tensor:
        types = {name: value.expand(len(embedded), -1) for name, value in more.items()}
        output = model(inputs_embeds=embedded, **types)
        return output.start_logits[:, start] + output.end_logits[:, end]

    with torch.no_grad():
        output = model(input_ids=torch.tensor([ids], device=model.device), **more)
        start, end = int(output.start_logits[0].argmax()), int(output.end_logits[0].argmax())
    words = task.prepared.vocabulary.tokenizer.decode(ids[start : end + 1])
    return Question(ids, score, f"logits of the answer {words!r}")


def _first_word(task: Objective, model: PreTrainedModel, ids: list[int]) -> Question:
    begin = torch.tensor([[model.config.decoder_start_token_id]], device=model.device)
    scale = getattr(model.get_encoder(), "embed_scale", 1.0)  # which Marian applies to ids, but not to embeddings

    def score(embedded: Tensor) -> Tensor:
        output = model(inputs_embeds=embedded * scale, decoder_input_ids=begin.expand(len(embedded), -1))
        return output.logits[:, -1].log_softmax(-1)[:, token]

    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids], device=model.device), decoder_input_ids=begin).logits
    token = int(logits[0, -1].argmax())
    word = task.prepared.vocabulary.tokenizer.decode([token], skip_special_tokens=False)
    return Question(ids, score, f"ln p of the first token {word!r}")
