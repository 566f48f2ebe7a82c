"""What a decision on a LanguageModel must know, as far as it follows from what is known already."""

from datetime import datetime

from perennial.api import LanguageModel
from perennial.decide.language_model.observed import StorageJob
from perennial.decide.pods.absence import is_overdue


def confirmed_training_jobs(model: LanguageModel) -> list[str]:
    """Names of the TrainingJobs whose absence must be confirmed: of versions in training, or to be deleted."""
    return [
        version.training_job
        for version in model.status.versions
        if version.in_training or version.artifact_state == "Deleting"
    ]


def refusal(running: StorageJob, now: datetime) -> bool:
    """Whether the pod of a storage Job is overdue: only Events show why the API server refuses it."""
    return not (running.pods or running.job.has_ended) and is_overdue(running.job, now)
