"""Sentiment analysis: one of a few labels for a text."""

from typing import TYPE_CHECKING

from perennial_training.data.example import Example
from perennial_training.data.roles import Roles
from perennial_training.encoding.rows import Rows
from perennial_training.encoding.tokenizer import Layout, Vocabulary
from perennial_training.prepared import Prepared
from perennial_training.tasks.sentiment_analysis import encode
from perennial_training.tasks.task import RowTask

if TYPE_CHECKING:
    from perennial_training.tasks.sentiment_analysis.objective import SentimentAnalysisObjective


class SentimentAnalysis(RowTask):
    roles = Roles(texts=("text",), labels=("label",), noisy=("text",))
    layout = Layout.ENCLOSED
    pipeline = "text-classification"

    def labels(self, examples: list[Example], known: list[str] | None) -> list[str]:
        return encode.labels_of(examples, known)

    def encode(self, examples: list[Example], vocabulary: Vocabulary, context: int, labels: list[str] | None) -> Rows:
        return encode.encode(examples, vocabulary, context, labels or [])

    def objective(self, prepared: Prepared[Rows]) -> "SentimentAnalysisObjective":
        from perennial_training.tasks.sentiment_analysis.objective import SentimentAnalysisObjective

        return SentimentAnalysisObjective(prepared)
