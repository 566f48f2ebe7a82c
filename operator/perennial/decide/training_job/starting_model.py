"""The model that a training starts from: a reference to a LanguageModel is resolved once, and the status keeps it."""

from dataclasses import dataclass

from perennial.api import LanguageModel, TrainingJob
from perennial.api.language_model import Version
from perennial.api.training import LanguageModelReference
from perennial_contract.job import Pretrained, VersionArtifact


@dataclass(frozen=True)
class MissingBase:
    """Why the referenced LanguageModel has no artifact to start from, and whether one is expected."""

    message: str
    is_coming: bool


def unresolved(job: TrainingJob) -> LanguageModelReference | None:
    """The reference to a LanguageModel, until the status has its artifact."""
    return job.spec.model.language_model_ref if job.status.base is None else None


def base(job: TrainingJob) -> Pretrained | VersionArtifact | None:
    """The artifact to start from; None for a new model, or while its reference is unresolved."""
    return job.spec.model.pretrained or job.status.base


def resolve(job: TrainingJob, model: LanguageModel | None) -> VersionArtifact | MissingBase | None:
    """The artifact of the referenced version, by default of the served one; None without an unresolved reference."""
    reference = unresolved(job)
    if reference is None:
        return None
    if model is None:
        absence = f'LanguageModel "{reference.name}" not found in namespace "{job.metadata.namespace}"'
        return MissingBase(f"{absence}; create it to start the training.", is_coming=False)
    number = reference.version or model.status.serving_version
    if number is None:
        return MissingBase(f'Waits for LanguageModel "{reference.name}" to have a version in service.', is_coming=True)
    version = next((version for version in model.status.versions if version.number == number), None)
    if version and version.is_kept:
        return model.artifact_of(version)
    return _without_artifact(model, number, version)


def _without_artifact(model: LanguageModel, number: int, version: Version | None) -> MissingBase:
    name = model.metadata.name
    if (version and version.in_training) or number > model.status.last_version:
        return MissingBase(f'Waits for version {number} of LanguageModel "{name}" to be trained.', is_coming=True)
    kept = ", ".join(str(version.number) for version in model.status.versions if version.is_kept) or "none"
    message = f'Version {number} of LanguageModel "{name}" has no artifact; versions that have one: {kept}.'
    return MissingBase(message, is_coming=False)
