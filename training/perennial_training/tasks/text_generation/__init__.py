"""Text generation: each token is predicted from those before it."""

from typing import TYPE_CHECKING

from perennial_training.data.example import Example
from perennial_training.data.roles import Roles
from perennial_training.encoding.tokenizer import Layout, Vocabulary
from perennial_training.prepared import Prepared
from perennial_training.tasks.task import Task
from perennial_training.tasks.text_generation import encode
from perennial_training.tasks.text_generation.encode import Stream

if TYPE_CHECKING:
    from perennial_training.tasks.text_generation.objective import TextGenerationObjective


class TextGeneration(Task[Stream]):
    roles = Roles(texts=("text",), noisy=("text",))
    layout = Layout.STREAM
    pipeline = "text-generation"

    def encode(self, examples: list[Example], vocabulary: Vocabulary, context: int, labels: list[str] | None) -> Stream:
        return encode.encode(examples, vocabulary)

    def refuse_too_few(self, train: Stream, context: int, batch_size: int) -> None:
        encode.refuse_too_few(train, context, batch_size)

    def objective(self, prepared: Prepared[Stream]) -> "TextGenerationObjective":
        from perennial_training.tasks.text_generation.objective import TextGenerationObjective

        return TextGenerationObjective(prepared)
