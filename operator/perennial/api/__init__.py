"""The typed API of the group perennial.dev: the one source from which crds/ is generated."""

from perennial.api.deployment import ModelDeployment
from perennial.api.language_model import LanguageModel
from perennial.api.training_job import TrainingJob

GROUP = "perennial.dev"
VERSION = "v1alpha1"
KINDS = (LanguageModel, TrainingJob, ModelDeployment)

__all__ = ["GROUP", "KINDS", "VERSION", "LanguageModel", "ModelDeployment", "TrainingJob"]
