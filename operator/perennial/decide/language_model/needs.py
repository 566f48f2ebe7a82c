"""What a decision on a LanguageModel must know, as far as it follows from what is known already."""

from perennial.api import LanguageModel


def confirmed_training_jobs(model: LanguageModel) -> list[str]:
    """Names of the TrainingJobs whose absence must be confirmed: of versions in training, or to be deleted."""
    return [
        version.training_job
        for version in model.status.versions
        if version.in_training or version.artifact_state == "Deleting"
    ]
