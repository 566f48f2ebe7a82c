"""The objects that a LanguageModel owns. They follow from its stored status."""

from collections.abc import Iterator

from perennial.api import LanguageModel, ModelDeployment, TrainingJob
from perennial.api.deployment import ModelReference
from perennial.api.language_model import Version
from perennial.api.training_job import TrainingJobSpec
from perennial.decide.fingerprint import fingerprint
from perennial.decide.kube import has_ended
from perennial.decide.labels import API_VERSION
from perennial.decide.language_model.cleanup import cleanup, cleanup_name
from perennial.decide.language_model.gates import compares
from perennial.decide.language_model.imports import import_job, import_name, is_pending
from perennial.decide.language_model.ledger import Ledger
from perennial.decide.language_model.observed import Observed
from perennial.decide.language_model.versions import has_own_seed, with_own_seed
from perennial.decide.metadata import child
from perennial.decide.outcome import Manifest, Reference
from perennial_contract.job import Output


def deployment_spec(model: LanguageModel, version: Version) -> Manifest:
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


def applied(model: LanguageModel, observed: Observed) -> Iterator[Manifest]:
    """The children to apply: the running training, the Deployment, and the Jobs that work on the storage.

    The pods of an existing Job can't be changed, even if the image is another one now.
    """
    stored = Ledger(model.status)
    if stored.in_training:
        yield from _training(model, stored, stored.in_training, observed)
    elif is_pending(stored, model) and import_name(model) not in observed.storage_jobs:
        yield import_job(model, observed.defaults)
    serving = stored.serving
    if serving and serving.is_kept:
        spec = deployment_spec(model, serving)
        yield child(model, API_VERSION, ModelDeployment.KIND, model.metadata.name) | {"spec": spec}
    for version in stored.status.versions:
        # A pod of the training could still write into the folder that is being deleted, so it must be gone.
        gone = version.training_job not in observed.training_jobs and cleanup_name(version) not in observed.storage_jobs
        if version.artifact_state == "Deleting" and gone:
            yield cleanup(model, version, observed.defaults)


def deleted(model: LanguageModel, observed: Observed) -> Iterator[Reference]:
    """The children to delete: those of versions whose artifacts are deleted or no longer listed; a finished import."""
    namespace = model.metadata.namespace
    kept = {version.training_job for version in model.status.versions if not version.is_dropped}
    working = {cleanup_name(v) for v in model.status.versions if v.artifact_state == "Deleting"}
    if is_pending(Ledger(model.status), model):
        working.add(import_name(model))
    for name, job in observed.training_jobs.items():
        if name not in kept and job.metadata.deletion_timestamp is None:
            yield Reference(API_VERSION, TrainingJob.KIND, namespace, name, job.metadata.uid)
    for name, running in observed.storage_jobs.items():
        if name not in working and not running.job.is_terminating:
            yield Reference("batch/v1", "Job", namespace, name, running.job.uid)


def _training(model: LanguageModel, stored: Ledger, version: Version, observed: Observed) -> Iterator[Manifest]:
    """Created once; of an existing TrainingJob only suspend can change, so its own spec is applied with that.

    Nothing starts or resumes while the spec differs: that version is superseded first.
    """
    suspend, job = model.spec.suspend, observed.training_jobs.get(version.training_job)
    if not suspend and version.fingerprint != fingerprint(model.spec):
        return
    if job is None:
        if not suspend:
            yield _manifest(model, version, _training_job_spec(model, stored, version))
    elif job.spec.suspend != suspend and not has_ended(job.status) and job.metadata.deletion_timestamp is None:
        yield _manifest(model, version, job.spec.model_copy(update={"suspend": suspend}))


def _training_job_spec(model: LanguageModel, stored: Ledger, version: Version) -> TrainingJobSpec:
    served = stored.version(version.judged_against) if compares(model.spec.evaluation.gates) else None
    return TrainingJobSpec(
        model=model.spec.model,
        data=model.spec.data,
        training=with_own_seed(model.spec.training, version.number)
        if has_own_seed(version, model)
        else model.spec.training,
        compare_with=model.artifact_of(served) if served and served.is_kept else None,
        output=Output(uri=version.uri, credentials=model.credentials_of(version)),
    )


def _manifest(model: LanguageModel, version: Version, spec: TrainingJobSpec) -> Manifest:
    return child(model, API_VERSION, TrainingJob.KIND, version.training_job) | {"spec": spec.to_wire()}
