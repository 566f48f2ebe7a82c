"""The Job that deletes the artifact of a version, and what keeps it from doing so."""

from datetime import datetime

from perennial.api import LanguageModel
from perennial.api.language_model import Version
from perennial.decide.defaults import Defaults
from perennial.decide.kube import is_true
from perennial.decide.language_model import storage_job
from perennial.decide.language_model.observed import StorageJob
from perennial.decide.outcome import Manifest
from perennial.decide.pods.diagnosis import Trouble

_SUFFIX = "-cleanup"


def cleanup_name(version: Version) -> str:
    """Name of the Job that deletes the artifact."""
    return f"{version.training_job}{_SUFFIX}"


def is_cleanup_name(name: str) -> bool:
    """Whether a Job of a LanguageModel with this name deletes an artifact."""
    return name.endswith(_SUFFIX)


def cleanup(model: LanguageModel, version: Version, defaults: Defaults) -> Manifest:
    """The Job that deletes the version's artifact, and the remains of an unfinished training."""
    if version.artifact:
        target = ["--digest", version.artifact.digest]
    else:  # a cancelled training may have completed all the same
        target = ["--job", f"{model.metadata.namespace}/{version.training_job}"]
    command, credentials = ["delete-artifact", *target], model.credentials_of(version)
    return storage_job.storage_job(model, cleanup_name(version), command, version.uri, credentials, defaults)


def has_deleted(running: StorageJob) -> bool:
    """Whether the artifact is deleted."""
    return is_true(running.job, "Complete") or storage_job.success_of(running) is not None


def trouble_of(running: StorageJob, now: datetime) -> Trouble | None:
    """What keeps the artifact from being deleted, if anything."""
    return storage_job.trouble_of(running, "VersionCollectionFailed", now)
