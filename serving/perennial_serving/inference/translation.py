"""Translation: the likeliest token after token (greedy), for several texts at a time."""

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForSeq2SeqLM, GenerationConfig, StoppingCriteria, StoppingCriteriaList

from perennial_serving.engine.task import LoadedModel
from perennial_serving.http.errors import ApiError
from perennial_serving.inference import texts
from perennial_serving.inference.requests import TranslationRequest
from perennial_serving.inference.row import Row, padded
from perennial_serving.inference.task import RowTask


class _Ended(StoppingCriteria):
    """Ends the rows for which nobody waits any more, and those that have as many tokens as they may."""

    def __init__(self, rows: Sequence[Row], gone: Callable[[], list[bool]]) -> None:
        self._limits = torch.tensor([row.limit for row in rows])
        self._gone = gone

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
        written = input_ids.shape[1] - 1  # the first is the token to start with
        return (torch.tensor(self._gone()) | (self._limits <= written)).to(input_ids.device)


class Translation(RowTask):
    auto = AutoModelForSeq2SeqLM
    request = TranslationRequest
    trial = RowTask.trial | {"parameters": {"generate_parameters": {"max_new_tokens": 1}}}

    def __init__(self, loaded: LoadedModel, folder: Path) -> None:
        super().__init__(loaded, folder)
        self._rule = GenerationConfig.from_model_config(self.model.config)
        # No token is forced at the end, since where that is would depend on the others in the batch.
        self._rule.update(num_beams=1, do_sample=False, max_length=None, forced_eos_token_id=None)

    def encode(self, asked: TranslationRequest) -> list[Row]:
        context, limit = self.loaded.context_length, asked.parameters.generate_parameters.max_new_tokens
        if limit and limit > context:
            param = "parameters.generate_parameters.max_new_tokens"
            raise ApiError(400, f"{param}: this model writes at most {context} tokens", param)
        return texts.encode(asked, self.tokenizer, context, limit or context)

    def logits(self, rows: Sequence[Row]) -> Tensor:
        """Of the first token: [rows, 1, vocabulary]"""
        start = torch.full([len(rows), 1], self._rule.decoder_start_token_id, device=self.model.device)
        return self.model(**padded(rows, self.model), decoder_input_ids=start).logits.float().cpu()

    def compute(self, rows: Sequence[Row], gone: Callable[[], list[bool]]) -> list[list[int]]:
        """The tokens of each translation, without what starts, ends or fills it up."""
        rule = copy.copy(self._rule)
        rule.max_new_tokens = max(row.limit for row in rows)
        ended = StoppingCriteriaList([_Ended(rows, gone)])
        found = self.model.generate(**padded(rows, self.model), generation_config=rule, stopping_criteria=ended)
        return [self._bare(ids[1:][: row.limit]) for ids, row in zip(found.tolist(), rows, strict=True)]

    def _bare(self, ids: list[int]) -> list[int]:
        ends = {self._rule.pad_token_id, *_list(self._rule.eos_token_id)}
        return ids[: next((place for place, token in enumerate(ids) if token in ends), len(ids))]

    def written(self, result: list[int]) -> int:
        return len(result)

    def answer(self, asked: TranslationRequest, rows: Sequence[Row], results: Sequence[list[int]]) -> Any:
        """A list of translations, also where there is only one."""
        said = [self.tokenizer.decode(ids, skip_special_tokens=True).strip() for ids in results]
        return [{"translation_text": text} for text in said]


def _list(token: int | list[int] | None) -> list[int | None]:
    return token if isinstance(token, list) else [token]
