"""Extractive question answering: where in the context the answer begins and ends.

A long context is read in windows that overlap by a quarter, as in training.
"""

import inspect
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import AutoModelForQuestionAnswering

from perennial_serving.engine.task import LoadedModel
from perennial_serving.errors import ApiError, Json
from perennial_serving.inference.batching import IsCancelled
from perennial_serving.inference.encoded_input import padded, stacked
from perennial_serving.inference.requests import MAX_INPUTS, Question, QuestionRequest
from perennial_serving.inference.routes import API
from perennial_serving.inference.spans import Window, best_spans
from perennial_serving.inference.task import InferenceTask
from perennial_serving.inference.texts import check_length, refuse_far_too_long

_OVERLAP = 4  # windows overlap by this fraction: a quarter


class QuestionAnswering(InferenceTask[QuestionRequest, Window, Tensor]):
    api = API
    auto = AutoModelForQuestionAnswering
    request = QuestionRequest
    sample_request: ClassVar[Json] = {"inputs": [{"question": "a", "context": context} for context in ("b", "b c")]}

    def __init__(self, loaded: LoadedModel, folder: Path) -> None:
        super().__init__(loaded, folder)
        context = loaded.context_length
        # A tokenizer of its own, since truncation is set for good: threads may only share one that nobody changes.
        self._windows = Tokenizer.from_str(self.tokenizer.to_str())
        self._windows.encode_special_tokens = True
        self._windows.enable_truncation(context, stride=context // _OVERLAP, strategy="only_second")
        # A window needs, besides the question, the overlap, one more token of the context, and special tokens.
        reserved = context // _OVERLAP + 1 + self._windows.num_special_tokens_to_add(is_pair=True)
        self._longest_question = min(context // 2, context - reserved)

    def encode(self, request: QuestionRequest) -> list[Window]:
        windows: list[Window] = []
        for index, question in enumerate(request.listed):
            windows += self._encode(question, index, request.path(index))
            if len(windows) > MAX_INPUTS:
                message = (
                    f"the contexts take more than {MAX_INPUTS} windows of {self.loaded.context_length} tokens, "
                    f"{len(windows)} up to {request.path(index)}; shorten them or send them in several requests"
                )
                raise ApiError(400, message, "inputs", "context_length_exceeded")
        return windows

    def _encode(self, pair: Question, index: int, path: str) -> list[Window]:
        """One or more windows. The question may fill at most half of one."""
        limit = MAX_INPUTS * self.loaded.context_length
        refuse_far_too_long(pair.question, self.tokenizer, self._longest_question, "the question", f"{path}.question")
        refuse_far_too_long(pair.context, self.tokenizer, limit, "the context", f"{path}.context")
        tokens = len(self.tokenizer.encode(pair.question, add_special_tokens=False).ids)
        check_length(tokens, self._longest_question, "the question", f"{path}.question")
        first = self._windows.encode(pair.question, pair.context)
        check_length(first.sequence_ids.count(1), limit, "the context", f"{path}.context")
        return [Window.of(window, index) for window in (first, *first.overflowing)]

    def logits(self, inputs: Sequence[Window]) -> Tensor:
        """Of the first and the last token of an answer: [windows, 2, tokens]"""
        batch = padded(inputs, self.model)
        if "token_type_ids" in inspect.signature(self.model.forward).parameters:
            batch["token_type_ids"] = stacked([window.types for window in inputs], 0, self.model)
        output = self.model(**batch)
        return torch.stack([output.start_logits, output.end_logits], dim=1).float().cpu()

    def compute(self, inputs: Sequence[Window], cancelled: IsCancelled) -> list[Tensor]:
        """Logits [2, tokens] of each window, without padding."""
        return [logits[:, : len(window.ids)] for logits, window in zip(self.logits(inputs), inputs, strict=True)]

    def answer(self, request: QuestionRequest, inputs: Sequence[Window], results: Sequence[Tensor]) -> Any:
        """The best answer to each question, or a list of the best with `top_k`."""
        by_question = groupby(zip(inputs, results, strict=True), key=lambda pair: pair[0].index)
        answers = [self._answers(request, index, list(pairs)) for index, pairs in by_question]
        return answers if isinstance(request.inputs, list) else answers[0]

    def _answers(self, request: QuestionRequest, index: int, pairs: list[tuple[Window, Tensor]]) -> Json | list[Json]:
        context, parameters = request.listed[index].context, request.parameters
        windows, logits = [window for window, _ in pairs], [logits for _, logits in pairs]
        spans = best_spans(context, windows, logits, parameters.max_answer_len, parameters.top_k)
        return spans if parameters.top_k > 1 else spans[0]
