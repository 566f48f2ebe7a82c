"""The outcome of the preparation: all that a training needs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from perennial_training.data.corpus import Corpus
from perennial_training.encoding.tokenizer import Vocabulary
from perennial_training.starting_model import Base


class Tokens(Protocol):
    """Examples as tokens, in the form of a task."""

    @property
    def tokens(self) -> int:
        """Number of tokens that one pass learns from."""
        ...


Encoded = TypeVar("Encoded", bound=Tokens)


@dataclass(frozen=True)
class Prepared(Generic[Encoded]):
    """Corpus, tokenizer and encoded examples of a job.

    tokenizer: folder with its files; context: length in tokens; base: the model to start from, None for a new one;
    labels: classes in their order, for a task that has them; identity: a digest of configuration, data and base.
    """

    corpus: Corpus
    vocabulary: Vocabulary
    tokenizer: Path
    context: int
    base: Base | None
    labels: list[str] | None
    train: Encoded
    validation: Encoded
    identity: str
