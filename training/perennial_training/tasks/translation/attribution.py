"""The first token of a translation."""

import torch
from torch import Tensor
from transformers import PreTrainedModel

from perennial_training.encoding.rows import Rows
from perennial_training.prepared import Prepared
from perennial_training.tasks.question import EXAMPLES, Question


def first_words(prepared: Prepared[Rows], model: PreTrainedModel, held_out: Rows) -> list[Question]:
    return [_first_word(prepared, model, row["input_ids"]) for row in held_out.rows[:EXAMPLES]]


def _first_word(prepared: Prepared[Rows], model: PreTrainedModel, ids: list[int]) -> Question:
    begin = torch.tensor([[model.config.decoder_start_token_id]], device=model.device)
    scale = getattr(model.get_encoder(), "embed_scale", 1.0)  # which Marian applies to ids, but not to embeddings

    def score(embedded: Tensor) -> Tensor:
        output = model(inputs_embeds=embedded * scale, decoder_input_ids=begin.expand(len(embedded), -1))
        scores: Tensor = output.logits[:, -1].log_softmax(-1)[:, token]
        return scores

    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids], device=model.device), decoder_input_ids=begin).logits
    token = int(logits[0, -1].argmax())
    word = prepared.vocabulary.tokenizer.decode([token], skip_special_tokens=False)
    return Question(ids, score, f"ln p of the first token {word!r}")
