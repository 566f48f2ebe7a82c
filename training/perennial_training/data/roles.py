"""What an example of a task consists of."""

from dataclasses import dataclass

from perennial_training.config import Fields, Task


@dataclass(frozen=True)
class Roles:
    """The parts of an example, each the text of one column.

    texts: what is read, which preprocessing changes and measures; answers: what is to be said, changed in the same way
    but of any length; labels: one of a few names, taken as they are; noisy: what augmentation may change without making
    the rest of the example wrong; key: examples in which this is equal fall on the same side of a split.
    """

    texts: tuple[str, ...]
    answers: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    noisy: tuple[str, ...] = ()
    key: str = "text"

    @property
    def prose(self) -> tuple[str, ...]:
        return self.texts + self.answers

    @property
    def all(self) -> tuple[str, ...]:
        return self.prose + self.labels

    def columns(self, fields: Fields) -> dict[str, str]:
        """The name of the column of each role."""
        return {role: getattr(fields, role) for role in self.all}


ROLES: dict[Task, Roles] = {
    "text-generation": Roles(texts=("text",), noisy=("text",)),
    "sentiment-analysis": Roles(texts=("text",), labels=("label",), noisy=("text",)),
    "translation": Roles(texts=("source", "target"), noisy=("source",), key="source"),
    "question-answering": Roles(texts=("question", "context"), answers=("answer",), noisy=("question",), key="context"),
}
