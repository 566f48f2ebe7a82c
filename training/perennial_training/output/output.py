"""Where a job leaves its artifact: what the training needs of a place, whatever stores it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import ValidationError

from perennial_contract.exits import BAD_CONFIGURATION, Failure
from perennial_contract.facts import Facts, TrainingFacts
from perennial_contract.job import Job
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


def is_of(document: dict[str, Any], config: Job) -> bool:
    """Whether the artifact with this manifest is the job's, or that of an earlier one of its name and configuration.

    A TrainingJob that GitOps creates again after its time to live, or after a restore, has another uid only.
    Raises TamperedArtifact.
    """
    job = Facts.of(document).job
    if job is None or job.uid == config.job.uid:
        return job is not None
    try:
        earlier = Job.model_validate(document.get("config"))
    except ValidationError:
        return False
    ours = config.job.model_copy(update={"uid": job.uid})
    return job == ours and earlier == config.model_copy(update={"job": ours})


def artifact_of(facts: Facts) -> str:
    """Whose artifact it is, in words."""
    job = facts.job
    return f"the artifact of the job {job.namespace}/{job.name} ({job.uid})" if job else "an artifact of no known job"


def taken(uri: str, holder: str) -> Failure:
    """The refusal to overwrite what exists."""
    message = f"{uri} holds {holder}; choose another output, or delete that first"
    return Failure("OutputTaken", message, BAD_CONFIGURATION)
