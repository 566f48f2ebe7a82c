"""The Jobs of a LanguageModel that work on its storage: deletions, and the import."""

from datetime import datetime

from perennial.api import LanguageModel
from perennial.decide.defaults import Defaults
from perennial.decide.kube import PodView, Termination, is_true
from perennial.decide.language_model.observed import StorageJob
from perennial.decide.metadata import child, labels_of
from perennial.decide.outcome import Manifest
from perennial.decide.pods.absence import refused
from perennial.decide.pods.diagnosis import Trouble, trouble
from perennial.decide.pods.overlay import overlaid
from perennial.decide.pods.template import Volumes, container, pod_template
from perennial_contract.job import Credentials

_CONTAINER = "storage"


def storage_job(
    model: LanguageModel,
    name: str,
    command: list[str],
    uri: str,
    credentials: Credentials | None,
    defaults: Defaults,
) -> Manifest:
    """The Job that runs a command of the training image on a URI.

    Its pods have the overlay of the training's: what lets those run where the storage is.
    """
    verb, *options = command
    secret = ["--secret", credentials.secret_name] if credentials else []
    volumes = Volumes.of([uri], [credentials])
    runtime = model.spec.training.runtime  # a custom command's image need not contain our package
    own = container(
        _CONTAINER,
        defaults.training_image if runtime.command else runtime.image or defaults.training_image,
        ["python", "-m", "perennial_training", verb, "--uri", uri, *options, *secret],
        volumes.mounts(),
        defaults.pods.cleanup_resources.to_wire(),
    )
    template = pod_template(labels_of(model), [own], volumes.volumes(), restartPolicy="Never")
    spec = {"backoffLimit": 6, "template": overlaid(template, defaults.pods, model.spec.training.pod)}
    return child(model, "batch/v1", "Job", name) | {"spec": spec}


def success_of(running: StorageJob) -> Termination | None:
    """The end of its own container that went well; one that others have added to the pod may go on."""
    return next((end for pod in running.pods if (end := _end(pod)) and end.exit_code == 0), None)


def _end(pod: PodView) -> Termination | None:
    return next((each.terminated for each in pod.containers if each.name == _CONTAINER), None)


def failure(name: str) -> str:
    """What to do about the Job of this name, which has failed."""
    return f"Job {name} failed; see its log (`kubectl logs job/{name}`), and delete the Job to retry."


def trouble_of(running: StorageJob, failed: str, now: datetime) -> Trouble | None:
    """What keeps the Job from its end, if anything; `failed` is the reason if it has given up."""
    if is_true(running.job, "Failed"):
        return Trouble(failed, failure(running.job.name))
    if running.refusal:
        return refused(running.refusal, "`podDefaults.cleanupResources` of the chart")
    newest = max(running.pods, key=lambda pod: pod.created, default=None)
    return trouble(newest, now) if newest else None
