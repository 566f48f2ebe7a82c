"""The best span of a context."""

import torch
from torch import Tensor
from transformers import PreTrainedModel

from perennial_training.encoding.rows import Row, Rows
from perennial_training.prepared import Prepared
from perennial_training.tasks.objective import Collator
from perennial_training.tasks.question import EXAMPLES, Question


def best_spans(prepared: Prepared[Rows], collator: Collator, model: PreTrainedModel, held_out: Rows) -> list[Question]:
    return [_span(prepared, collator, model, row) for row in held_out.rows[:EXAMPLES]]


def _span(prepared: Prepared[Rows], collator: Collator, model: PreTrainedModel, row: Row) -> Question:
    ids = row["input_ids"]
    inputs: dict[str, Tensor] = {}
    if "token_type_ids" in collator([row]):
        inputs["token_type_ids"] = torch.tensor([row["token_type_ids"]], device=model.device)

    def score(embedded: Tensor) -> Tensor:
        types = {name: value.expand(len(embedded), -1) for name, value in inputs.items()}
        output = model(inputs_embeds=embedded, **types)
        scores: Tensor = output.start_logits[:, start] + output.end_logits[:, end]
        return scores

    with torch.no_grad():
        output = model(input_ids=torch.tensor([ids], device=model.device), **inputs)
        start, end = int(output.start_logits[0].argmax()), int(output.end_logits[0].argmax())
    words = prepared.vocabulary.tokenizer.decode(ids[start : end + 1])
    return Question(ids, score, f"logits of the answer {words!r}")
