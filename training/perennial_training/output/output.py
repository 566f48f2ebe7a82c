"""Where a job leaves its artifact: what the training needs of a place, whatever stores it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from perennial_contract.exits import BAD_CONFIGURATION, Failure

if TYPE_CHECKING:
    from perennial_training.checkpoints.mirror import Mirror


class Output(Protocol):
    """A place for one artifact.

    work: the folder for everything unfinished; mirror: keeps copies of that folder, None where it outlives the pod.
    """

    @property
    def work(self) -> Path: ...

    @property
    def mirror(self) -> "Mirror | None": ...

    def finished(self) -> dict[str, Any] | None:
        """The result of this job if its artifact exists already; exits.Failure if another job's does."""
        ...

    def open(self) -> None:
        """Creates the work folder, with what an earlier pod of this job left. Raises exits.Failure."""
        ...

    def publish(self, weights: Path, tokenizer: Path, facts: dict[str, Any]) -> dict[str, Any]:
        """Writes the artifact, whole or not at all, and returns the result. Raises exits.Failure."""
        ...


def taken(uri: str, holder: str) -> Failure:
    """The refusal to overwrite what exists."""
    message = f"{uri} holds {holder}; choose another output, or delete that first"
    return Failure("OutputTaken", message, BAD_CONFIGURATION)
