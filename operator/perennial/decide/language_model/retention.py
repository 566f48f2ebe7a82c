"""Which versions are kept, and how the others go: first the artifact, then what is known of the version."""

from datetime import datetime

from perennial.api import LanguageModel
from perennial.api.language_model import Version
from perennial.decide.kube import is_true
from perennial.decide.language_model.ledger import Ledger
from perennial.decide.language_model.observed import Observed
from perennial.decide.metadata import child, labels_of
from perennial.decide.outcome import Manifest
from perennial.decide.pods.template import Volumes, container, pod_template

# Said, as a namespace with a quota on compute takes no pod without.
_RESOURCES = {
    "requests": {"cpu": "100m", "memory": "256Mi"},
    "limits": {"cpu": "1", "memory": "256Mi"},
}


def collect(ledger: Ledger, model: LanguageModel, seen: Observed, now: datetime) -> Ledger:
    """Marks what versions.keep no longer keeps, and forgets what has been deleted."""
    for version in ledger.status.versions:
        if version.collecting and is_true(seen.cleanups.get(cleanup_name(version)), "Complete"):
            ledger = ledger.update(versions=[v for v in ledger.status.versions if v.number != version.number])
        elif version.collecting and is_true(seen.cleanups.get(cleanup_name(version)), "Failed"):
            ledger = _not_collected(ledger, version, now)
    for version in _excess(ledger, model, seen):
        ledger = ledger.with_version(version.model_copy(update={"collecting": True})).record(
            now,
            "VersionCollected",
            f"versions.keep {model.spec.versions.keep}",
            f"v{version.number} is neither in service nor one of the newest {model.spec.versions.keep}",
            f"the artifact of v{version.number} is deleted",
        )
    return ledger


def _not_collected(ledger: Ledger, version: Version, now: datetime) -> Ledger:
    """Recorded once; a person may delete the Job, and it is tried again."""
    message = f"the artifact could not be deleted; see the log of Job {cleanup_name(version)}, delete it to try again"
    if version.message == message:
        return ledger
    return ledger.with_version(version.model_copy(update={"message": message})).record(
        now,
        "VersionCollectionFailed",
        "what is not kept is deleted",
        f"Job {cleanup_name(version)} failed",
        f"the artifact of v{version.number} may still be there; delete the Job to try again",
    )


def _excess(ledger: Ledger, model: LanguageModel, seen: Observed) -> list[Version]:
    """Beyond the newest that are kept; but never what is served, pinned, trained or still needed to judge."""
    kept = [version for version in ledger.status.versions if not version.collecting]
    pin, training = model.spec.promotion.pin, ledger.in_training
    needed = {
        ledger.status.serving_version,
        seen.deployment.status.version if seen.deployment else None,
        pin.version if pin else None,
        training.number if training else None,
        training.judged_against if training else None,
    }
    return [version for version in kept[: -model.spec.versions.keep] if version.number not in needed]


def cleanup_name(version: Version) -> str:
    """Name of the Job that deletes the artifact."""
    return f"{version.training_job}-cleanup"


def cleanup(model: LanguageModel, version: Version, image: str) -> Manifest:
    """The Job that deletes the version's artifact, and what an unfinished training left."""
    arguments = ["--uri", version.uri]
    if version.artifact:
        arguments += ["--digest", version.artifact.digest]
    else:  # a training that was given up may have come to its end all the same
        arguments += ["--job", f"{model.metadata.namespace}/{version.training_job}"]
    credentials = model.credentials_of(version)
    if credentials:
        arguments += ["--secret", credentials.secret_name]
    volumes = Volumes.of([version.uri], [credentials])
    runtime = model.spec.training.runtime  # with a command of its own, the image need not hold our package
    deletion = container(
        "delete-artifact",
        image if runtime.command else runtime.image or image,
        ["python", "-m", "perennial_training", "delete-artifact", *arguments],
        volumes.mounts(),
        _RESOURCES,
    )
    template = pod_template(labels_of(model), [deletion], volumes.volumes(), restartPolicy="Never")
    return child(model, "batch/v1", "Job", cleanup_name(version)) | {"spec": {"backoffLimit": 6, "template": template}}
