"""Machine translation: a text in one language to its translation in another."""

from typing import TYPE_CHECKING

from perennial_training.data.example import Example
from perennial_training.data.roles import Roles
from perennial_training.encoding.rows import Rows
from perennial_training.encoding.tokenizer import Layout, Vocabulary
from perennial_training.prepared import Prepared
from perennial_training.tasks.task import RowTask
from perennial_training.tasks.translation import encode

if TYPE_CHECKING:
    from perennial_training.tasks.translation.objective import TranslationObjective


class Translation(RowTask):
    roles = Roles(texts=("source", "target"), noisy=("source",), key="source")
    layout = Layout.ENDED
    pipeline = "translation"

    def encode(self, examples: list[Example], vocabulary: Vocabulary, context: int, labels: list[str] | None) -> Rows:
        return encode.encode(examples, vocabulary, context)

    def objective(self, prepared: Prepared[Rows]) -> "TranslationObjective":
        from perennial_training.tasks.translation.objective import TranslationObjective

        return TranslationObjective(prepared)
