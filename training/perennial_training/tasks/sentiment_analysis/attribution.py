"""The likeliest class of a text."""

import torch
from torch import Tensor
from transformers import PreTrainedModel

from perennial_training.encoding.rows import Rows
from perennial_training.tasks.labels import label_names
from perennial_training.tasks.question import EXAMPLES, Question


def likeliest_classes(model: PreTrainedModel, held_out: Rows) -> list[Question]:
    return [_class(model, row["input_ids"]) for row in held_out.rows[:EXAMPLES]]


def _class(model: PreTrainedModel, ids: list[int]) -> Question:
    def score(embedded: Tensor) -> Tensor:
        scores: Tensor = model(inputs_embeds=embedded).logits[:, number]
        return scores

    with torch.no_grad():
        number = int(model(input_ids=torch.tensor([ids], device=model.device)).logits[0].argmax())
    return Question(ids, score, f"logit of {label_names(model)[number]}")
