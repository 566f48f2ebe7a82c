"""The next token after the beginning of a text."""

import torch
from torch import Tensor
from transformers import PreTrainedModel

from perennial_training.prepared import Prepared
from perennial_training.tasks.question import EXAMPLES, TOKENS, Question
from perennial_training.tasks.text_generation.encode import Stream


def next_tokens(prepared: Prepared[Stream], model: PreTrainedModel) -> list[Question]:
    encode = prepared.vocabulary.tokenizer.encode
    texts = [example.roles["text"] for example in prepared.corpus.validation[:EXAMPLES]]
    encoded = [encode(text, add_special_tokens=False).ids for text in texts]
    length = max(2, min(TOKENS, prepared.context) // 2)
    return [_next_token(prepared, model, ids[:length]) for ids in encoded if ids]


def _next_token(prepared: Prepared[Stream], model: PreTrainedModel, ids: list[int]) -> Question:
    def score(embedded: Tensor) -> Tensor:
        scores: Tensor = model(inputs_embeds=embedded, use_cache=False).logits[:, -1].log_softmax(-1)[:, token]
        return scores

    tokens = torch.tensor([ids], device=model.device)
    with torch.no_grad():
        token = int(model(input_ids=tokens, use_cache=False).logits[0, -1].argmax())
    word = prepared.vocabulary.tokenizer.decode([token], skip_special_tokens=False)
    return Question(ids, score, f"ln p of the next token {word!r}")
