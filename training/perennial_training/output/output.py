"""Where a job leaves its artifact: what the training needs of a place, whatever stores it."""

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from perennial_contract.exits import BAD_CONFIGURATION, Failure
from perennial_contract.facts import Facts, TrainingFacts
from perennial_contract.result import ResultMessage

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

    def finished(self) -> ResultMessage | None:
        """The result of this job if its artifact exists already; exits.Failure if another job's does."""
        ...

    def open(self) -> None:
        """Creates the work folder, with what an earlier pod of this job left. Raises exits.Failure."""
        ...

    def publish(self, weights: Path, tokenizer: Path, facts: TrainingFacts) -> ResultMessage:
        """Writes the artifact, whole or not at all, and returns the result. Raises exits.Failure."""
        ...


def artifact_of(facts: Facts) -> str:
    """Whose artifact it is, in words."""
    job = facts.job
    return f"the artifact of the job {job.namespace}/{job.name} ({job.uid})" if job else "an artifact of no known job"


def taken(uri: str, holder: str) -> Failure:
    """The refusal to overwrite what exists."""
    message = f"{uri} holds {holder}; choose another output, or delete that first"
    return Failure("OutputTaken", message, BAD_CONFIGURATION)
