"""Extractive question answering: the answer to a question is a span of its context."""

from typing import TYPE_CHECKING

from perennial_training.data.example import Example
from perennial_training.data.roles import Roles
from perennial_training.encoding.rows import Rows
from perennial_training.encoding.tokenizer import Layout, Vocabulary
from perennial_training.prepared import Prepared
from perennial_training.tasks.question_answering import encode
from perennial_training.tasks.task import RowTask

if TYPE_CHECKING:
    from perennial_training.tasks.question_answering.objective import QuestionAnsweringObjective


class QuestionAnswering(RowTask):
    roles = Roles(texts=("question", "context"), answers=("answer",), noisy=("question",), key="context")
    layout = Layout.ENCLOSED
    pipeline = "question-answering"

    def encode(self, examples: list[Example], vocabulary: Vocabulary, context: int, labels: list[str] | None) -> Rows:
        return encode.encode(examples, vocabulary, context)

    def objective(self, prepared: Prepared[Rows]) -> "QuestionAnsweringObjective":
        from perennial_training.tasks.question_answering.objective import QuestionAnsweringObjective

        return QuestionAnsweringObjective(prepared)
