"""The objects that a LanguageModel owns, as they follow from its stored status."""

from collections.abc import Iterator

from perennial.api import LanguageModel, ModelDeployment, TrainingJob
from perennial.api.deployment import ModelReference
from perennial.api.language_model import Version
from perennial.api.training import Output
from perennial.api.training_job import TrainingJobSpec
from perennial.decide.labels import API_VERSION
from perennial.decide.language_model.fingerprint import fingerprint
from perennial.decide.language_model.ledger import Ledger
from perennial.decide.language_model.observed import Observed
from perennial.decide.language_model.retention import cleanup, cleanup_name
from perennial.decide.metadata import child
from perennial.decide.outcome import Manifest, Reference


def service(model: LanguageModel, version: Version) -> Manifest:
    """Spec of the Deployment of a version. It leaves out what the user leaves to others, such as `replicas`."""
    assert version.artifact
    reference = ModelReference(
        name=model.metadata.name,
        version=version.number,
        task=model.spec.model.task,
        uri=version.artifact.uri,
        digest=version.artifact.digest,
        credentials=model.credentials_of(version),
    )
    return {"model": reference.to_wire()} | model.spec.deployment.to_wire()


def wanted(model: LanguageModel, seen: Observed) -> Iterator[Manifest]:
    """What should exist: the running training, the service, and what deletes artifacts."""
    stored = Ledger(model.status)
    training = stored.in_training
    # A spec that changed in between gets a number of its own first (see supersede).
    current = training is not None and training.fingerprint == fingerprint(model.spec)
    if training and current and training.training_job not in seen.training_jobs:
        yield _training_job(model, stored, training)
    serving = stored.serving
    if serving and serving.is_kept:
        spec = service(model, serving)
        yield child(model, API_VERSION, ModelDeployment.KIND, model.metadata.name) | {"spec": spec}
    for version in stored.status.versions:
        # The pod of the training must be gone, or it could write into the folder that is being deleted.
        # Once the Job is there its pods can't be changed, whatever the image is by now.
        gone = version.training_job not in seen.training_jobs and cleanup_name(version) not in seen.cleanups
        if version.collecting and gone:
            yield cleanup(model, version, seen.defaults.training_image)


def unwanted(model: LanguageModel, seen: Observed) -> Iterator[Reference]:
    """What should go: all that belongs to versions that are being deleted or are forgotten."""
    namespace = model.metadata.namespace
    kept = {version.training_job for version in model.status.versions if not version.collecting}
    listed = {cleanup_name(version) for version in model.status.versions}
    for name, job in seen.training_jobs.items():
        if name not in kept and job.metadata.deletion_timestamp is None:
            yield Reference(API_VERSION, TrainingJob.KIND, namespace, name, job.metadata.uid)
    for name, cleanup_job in seen.cleanups.items():
        if name not in listed and not cleanup_job.is_terminating:
            yield Reference("batch/v1", "Job", namespace, name, cleanup_job.uid)


def _training_job(model: LanguageModel, stored: Ledger, version: Version) -> Manifest:
    served = stored.version(version.judged_against)
    spec = TrainingJobSpec(
        model=model.spec.model,
        data=model.spec.data,
        training=model.spec.training,
        compare_with=model.artifact_of(served) if served and served.is_kept else None,
        storage=Output(uri=version.uri, credentials=model.credentials_of(version)),
    )
    return child(model, API_VERSION, TrainingJob.KIND, version.training_job) | {"spec": spec.to_wire()}
