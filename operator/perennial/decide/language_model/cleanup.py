"""The Job that deletes the artifact of a version, and what keeps it from doing so."""

from datetime import datetime

from perennial.api import LanguageModel
from perennial.api.language_model import Version
from perennial.decide.defaults import Defaults
from perennial.decide.kube import is_true
from perennial.decide.language_model.observed import Cleanup
from perennial.decide.metadata import child, labels_of
from perennial.decide.outcome import Manifest
from perennial.decide.pods.absence import refused
from perennial.decide.pods.diagnosis import Trouble, trouble
from perennial.decide.pods.overlay import overlaid
from perennial.decide.pods.template import Volumes, container, pod_template

_CONTAINER = "delete-artifact"


def cleanup_name(version: Version) -> str:
    """Name of the Job that deletes the artifact."""
    return f"{version.training_job}-cleanup"


def cleanup(model: LanguageModel, version: Version, defaults: Defaults) -> Manifest:
    """The Job that deletes the version's artifact, and the remains of an unfinished training.

    Its pods have the overlay of the training's: what lets those run where the storage is.
    """
    arguments = ["--uri", version.uri]
    if version.artifact:
        arguments += ["--digest", version.artifact.digest]
    else:  # a cancelled training may have completed all the same
        arguments += ["--job", f"{model.metadata.namespace}/{version.training_job}"]
    credentials = model.credentials_of(version)
    if credentials:
        arguments += ["--secret", credentials.secret_name]
    volumes = Volumes.of([version.uri], [credentials])
    runtime = model.spec.training.runtime  # a custom command's image need not contain our package
    deletion = container(
        _CONTAINER,
        defaults.training_image if runtime.command else runtime.image or defaults.training_image,
        ["python", "-m", "perennial_training", "delete-artifact", *arguments],
        volumes.mounts(),
        defaults.pods.cleanup_resources.to_wire(),
    )
    template = pod_template(labels_of(model), [deletion], volumes.volumes(), restartPolicy="Never")
    spec = {"backoffLimit": 6, "template": overlaid(template, defaults.pods, model.spec.training.pod)}
    return child(model, "batch/v1", "Job", cleanup_name(version)) | {"spec": spec}


def has_deleted(running: Cleanup) -> bool:
    """Whether the artifact is deleted; a container that others have added to the pod may go on."""
    own = (each for pod in running.pods for each in pod.containers if each.name == _CONTAINER)
    return is_true(running.job, "Complete") or any(
        each.terminated is not None and each.terminated.exit_code == 0 for each in own
    )


def failure(name: str) -> str:
    """What to do about the Job of this name, which has failed."""
    return f"Job {name} failed; see its log (`kubectl logs job/{name}`), and delete the Job to retry."


def trouble_of(running: Cleanup, now: datetime) -> Trouble | None:
    """What keeps the artifact from being deleted, if anything."""
    if is_true(running.job, "Failed"):
        return Trouble("VersionCollectionFailed", failure(running.job.name))
    if running.refusal:
        return refused(running.refusal, "`podDefaults.cleanupResources` of the chart")
    newest = max(running.pods, key=lambda pod: pod.created, default=None)
    return trouble(newest, now) if newest else None
