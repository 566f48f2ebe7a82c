"""The model that a training continues from: what a LanguageModel stands for is looked up once, and then kept."""

from dataclasses import dataclass

from perennial.api import LanguageModel, TrainingJob
from perennial.api.language_model import Version
from perennial.api.training import LanguageModelReference
from perennial_contract.job import Pretrained, VersionArtifact


@dataclass(frozen=True)
class NoBase:
    """Why there is no artifact to continue from, and whether it comes by itself."""

    message: str
    will_come: bool


def awaited(job: TrainingJob) -> LanguageModelReference | None:
    """The LanguageModel that is still to be looked up."""
    return job.spec.model.language_model_ref if job.status.base is None else None


def base(job: TrainingJob) -> Pretrained | VersionArtifact | None:
    """What the pod starts from; None for a new model, or while it is awaited."""
    return job.spec.model.pretrained or job.status.base


def find(job: TrainingJob, model: LanguageModel | None) -> VersionArtifact | NoBase | None:
    """The artifact of the awaited version, of the one in service where none is named; None if nothing is awaited."""
    wanted = awaited(job)
    if wanted is None:
        return None
    if model is None:
        where = f'LanguageModel "{wanted.name}" not found in namespace "{job.metadata.namespace}"'
        return NoBase(f"{where}; create it, and the training starts.", will_come=False)
    number = wanted.version or model.status.serving_version
    if number is None:
        return NoBase(f'Waits for LanguageModel "{wanted.name}" to have a version in service.', will_come=True)
    version = next((version for version in model.status.versions if version.number == number), None)
    if version and version.is_kept:
        return model.artifact_of(version)
    return _lacking(model, number, version)


def _lacking(model: LanguageModel, number: int, version: Version | None) -> NoBase:
    name = model.metadata.name
    if (version and version.in_training) or number > model.status.last_version:
        return NoBase(f'Waits for version {number} of LanguageModel "{name}" to be trained.', will_come=True)
    kept = ", ".join(str(version.number) for version in model.status.versions if version.is_kept) or "none"
    told = f'Version {number} of LanguageModel "{name}" has no artifact; versions that have one: {kept}.'
    return NoBase(told, will_come=False)
