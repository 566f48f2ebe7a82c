"""Sentiment analysis: how likely each label is for a text (sequence classification)."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor
from transformers import AutoModelForSequenceClassification

from perennial_serving.inference import texts
from perennial_serving.inference.requests import ClassificationParameters, ClassificationRequest
from perennial_serving.inference.row import Row, padded
from perennial_serving.inference.task import RowTask

_SCORES: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": lambda logits: logits.softmax(-1),
    "sigmoid": lambda logits: logits.sigmoid(),
    "none": lambda logits: logits,
}


class SentimentAnalysis(RowTask):
    auto = AutoModelForSequenceClassification
    request = ClassificationRequest

    def encode(self, asked: ClassificationRequest) -> list[Row]:
        return texts.encode(asked, self.tokenizer, self.loaded.context_length)

    def logits(self, rows: Sequence[Row]) -> Tensor:
        """[rows, labels]"""
        return self.model(**padded(rows, self.model)).logits.float().cpu()

    def compute(self, rows: Sequence[Row], gone: Callable[[], list[bool]]) -> list[Tensor]:
        return list(self.logits(rows))

    def answer(self, asked: ClassificationRequest, rows: Sequence[Row], results: Sequence[Tensor]) -> Any:
        """A list of labels with scores for each text, also where there is only one."""
        return [self._labels(logits, asked.parameters) for logits in results]

    def _labels(self, logits: Tensor, wanted: ClassificationParameters) -> list[dict[str, Any]]:
        scores = _SCORES[wanted.function_to_apply or self._usual()](logits).tolist()
        best = sorted(range(len(scores)), key=lambda number: -scores[number])[: wanted.top_k]
        return [{"label": self.model.config.id2label[number], "score": scores[number]} for number in best]

    def _usual(self) -> str:
        """As the pipeline of transformers chooses."""
        config = self.model.config
        if config.problem_type == "regression":
            return "none"
        return "sigmoid" if config.problem_type == "multi_label_classification" or config.num_labels == 1 else "softmax"
