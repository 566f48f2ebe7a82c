"""Extractive question answering: where in the context the answer begins and ends.

A long context is read in windows that overlap by a quarter, as in training.
"""

import inspect
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import AutoModelForQuestionAnswering

from perennial_serving.engine.task import LoadedModel
from perennial_serving.http.errors import ApiError
from perennial_serving.inference.requests import MAX_ROWS, Question, QuestionRequest
from perennial_serving.inference.row import padded, rectangle
from perennial_serving.inference.spans import Window, best_spans
from perennial_serving.inference.task import RowTask
from perennial_serving.inference.texts import check_length, refuse_far_too_long

_OVERLAP = 4  # windows overlap by this part of one


class QuestionAnswering(RowTask):
    auto = AutoModelForQuestionAnswering
    request = QuestionRequest
    trial: ClassVar = {"inputs": [{"question": "a", "context": context} for context in ("b", "b c")]}

    def __init__(self, loaded: LoadedModel, folder: Path) -> None:
        super().__init__(loaded, folder)
        context = loaded.context_length
        # One of its own, since it is changed for good: threads may share a tokenizer that none of them changes.
        self._windows = Tokenizer.from_str(self.tokenizer.to_str())
        self._windows.encode_special_tokens = True
        self._windows.enable_truncation(context, stride=context // _OVERLAP, strategy="only_second")
        # What windows of a few tokens need besides the question: one token of context that is not of the overlap.
        besides = context // _OVERLAP + 1 + self._windows.num_special_tokens_to_add(is_pair=True)
        self._longest_question = min(context // 2, context - besides)

    def encode(self, asked: QuestionRequest) -> list[Window]:
        rows: list[Window] = []
        for number, question in enumerate(asked.listed):
            rows += self._read(question, number, asked.place(number))
            if len(rows) > MAX_ROWS:
                message = (
                    f"the contexts take more than {MAX_ROWS} windows of {self.loaded.context_length} tokens, "
                    f"{len(rows)} up to {asked.place(number)}; shorten them or send them in several requests"
                )
                raise ApiError(400, message, "inputs", "context_length_exceeded")
        return rows

    def _read(self, asked: Question, number: int, place: str) -> list[Window]:
        """A row per window. The question may fill half of one at most."""
        most = MAX_ROWS * self.loaded.context_length
        refuse_far_too_long(asked.question, self.tokenizer, self._longest_question, "the question", f"{place}.question")
        refuse_far_too_long(asked.context, self.tokenizer, most, "the context", f"{place}.context")
        tokens = len(self.tokenizer.encode(asked.question, add_special_tokens=False).ids)
        check_length(tokens, self._longest_question, "the question", f"{place}.question")
        whole = self._windows.encode(asked.question, asked.context)
        check_length(whole.sequence_ids.count(1), most, "the context", f"{place}.context")
        return [Window.of(window, number) for window in (whole, *whole.overflowing)]

    def logits(self, rows: Sequence[Window]) -> Tensor:
        """Of the first and the last token of an answer: [rows, 2, tokens]"""
        batch = padded(rows, self.model)
        if "token_type_ids" in inspect.signature(self.model.forward).parameters:
            batch["token_type_ids"] = rectangle([row.types for row in rows], 0, self.model)
        output = self.model(**batch)
        return torch.stack([output.start_logits, output.end_logits], dim=1).float().cpu()

    def compute(self, rows: Sequence[Window], gone: Callable[[], list[bool]]) -> list[Tensor]:
        """Of each row the logits [2, its tokens]."""
        return [logits[:, : len(row.ids)] for logits, row in zip(self.logits(rows), rows, strict=True)]

    def answer(self, asked: QuestionRequest, rows: Sequence[Window], results: Sequence[Tensor]) -> Any:
        """The best answer to each question, or a list of the best where several are wanted."""
        read = groupby(zip(rows, results, strict=True), key=lambda pair: pair[0].number)
        found = [self._answers(asked, number, *zip(*pairs, strict=True)) for number, pairs in read]
        return found if isinstance(asked.inputs, list) else found[0]

    def _answers(self, asked: QuestionRequest, number: int, windows: Sequence[Window], logits: Sequence[Tensor]) -> Any:
        context, wanted = asked.listed[number].context, asked.parameters
        found = best_spans(context, windows, logits, wanted.max_answer_len, wanted.top_k)
        return found if wanted.top_k > 1 else found[0]
