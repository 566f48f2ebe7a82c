"""Sentiment analysis: the probability of each label of a text (sequence classification)."""

from collections.abc import Callable, Sequence
from typing import cast

from torch import Tensor
from transformers import AutoModelForSequenceClassification

from perennial_serving.errors import Json
from perennial_serving.inference import texts
from perennial_serving.inference.batching import IsCancelled
from perennial_serving.inference.encoded_input import EncodedInput, padded
from perennial_serving.inference.requests import ClassificationParameters, ClassificationRequest
from perennial_serving.inference.routes import API
from perennial_serving.inference.task import InferenceTask

_SCORES: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": lambda logits: logits.softmax(-1),
    "sigmoid": lambda logits: logits.sigmoid(),
    "none": lambda logits: logits,
}


class SentimentAnalysis(InferenceTask[ClassificationRequest, EncodedInput, Tensor]):
    api = API
    auto = AutoModelForSequenceClassification
    request = ClassificationRequest

    def encode(self, request: ClassificationRequest) -> list[EncodedInput]:
        return texts.encode(request, self.tokenizer, self.loaded.context_length)

    def logits(self, inputs: Sequence[EncodedInput]) -> Tensor:
        """[inputs, labels]"""
        logits: Tensor = self.model(**padded(inputs, self.model)).logits
        return logits.float().cpu()

    def compute(self, inputs: Sequence[EncodedInput], cancelled: IsCancelled) -> list[Tensor]:
        return list(self.logits(inputs))

    def answer(
        self, request: ClassificationRequest, inputs: Sequence[EncodedInput], results: Sequence[Tensor]
    ) -> list[list[Json]]:
        """A list of labels with scores for each text, also for a single text."""
        return [self._labels(logits, request.parameters) for logits in results]

    def _labels(self, logits: Tensor, parameters: ClassificationParameters) -> list[Json]:
        scores = _SCORES[parameters.function_to_apply or self._default_function()](logits).tolist()
        best = sorted(range(len(scores)), key=lambda label: -scores[label])[: parameters.top_k]
        names = cast(dict[int, str], self.model.config.id2label)
        return [{"label": names[label], "score": scores[label]} for label in best]

    def _default_function(self) -> str:
        """As the pipeline of transformers chooses."""
        config = self.model.config
        if config.problem_type == "regression":
            return "none"
        return "sigmoid" if config.problem_type == "multi_label_classification" or config.num_labels == 1 else "softmax"
