"""The protocol of a batch: sequences that are decoded together, and may join and leave at any step."""

from collections.abc import Collection, Sequence
from typing import Protocol, TypeVar

from torch import Tensor


class Row(Protocol):
    """One sequence: its prompt, and the token chosen last."""

    @property
    def prompt(self) -> Sequence[int]: ...

    @property
    def last(self) -> int: ...


R = TypeVar("R", bound=Row)


class Batch(Protocol[R]):
    """Continuous batching: each method may be called between any two steps."""

    rows: list[R]

    def join(self, rows: Sequence[R]) -> Tensor:
        """Adds rows; returns logits [new rows, vocabulary] for their first token."""

    def advance(self) -> Tensor:
        """Reads the last token of every row; returns logits [rows, vocabulary] for the next one."""

    def leave(self, leaving: Collection[R]) -> None:
        """Removes rows."""
