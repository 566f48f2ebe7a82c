"""The Indexed Job that trains."""

from typing import Any

from perennial.api import TrainingJob
from perennial.decide.metadata import child, labels_of
from perennial.decide.outcome import Manifest
from perennial.decide.pods import CONTAINER_SECURITY, POD_SECURITY, Volumes, environment
from perennial.decide.training_job.config import config_map_name
from perennial.decide.training_job.observed import Observed, credentials, locations

CONTAINER = "training"
LABEL = "perennial.dev/training-job"
# Long enough to write a checkpoint after SIGTERM.
GRACE_SECONDS = 120
# Exit codes of sysexits.h by which a pod says that another try ends the same way:
# usage, data, no input, configuration.
FINAL_EXIT_CODES = [64, 65, 66, 78]


def batch_job(job: TrainingJob, seen: Observed) -> Manifest:
    """One pod at a time; a disruption is not a failure, and bad input is not tried again (KEP-3329)."""
    spec = {
        "completionMode": "Indexed",
        "completions": 1,
        "parallelism": 1,
        "backoffLimit": job.spec.training.retries,
        "podReplacementPolicy": "Failed",
        "suspend": job.spec.suspend,
        "podFailurePolicy": {
            "rules": [
                {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                {
                    "action": "FailJob",
                    "onExitCodes": {"containerName": CONTAINER, "operator": "In", "values": FINAL_EXIT_CODES},
                },
            ]
        },
        "template": _pod(job, seen),
    }
    return child(job, "batch/v1", "Job", job.metadata.name) | {"spec": spec}


def _pod(job: TrainingJob, seen: Observed) -> Manifest:
    volumes = Volumes.of(locations(job), credentials(job))
    config = {"name": "config", "configMap": {"name": config_map_name(job)}}
    return {
        "metadata": {"labels": labels_of(job, {LABEL: job.metadata.name})},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": GRACE_SECONDS,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": POD_SECURITY,
            "containers": [_container(job, seen, volumes)],
            "volumes": [*volumes.volumes(), config, *({"name": "work", "emptyDir": {}} for _ in _work(job))],
        },
    }


def _container(job: TrainingJob, seen: Observed, volumes: Volumes) -> Manifest:
    return {
        "name": CONTAINER,
        "image": _image(job, seen),
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-m", "perennial_training", "train"],
        "env": environment(),
        "ports": [{"name": "metrics", "containerPort": 9400, "protocol": "TCP"}],
        "resources": _resources(job),
        "securityContext": CONTAINER_SECURITY,
        "terminationMessagePolicy": "File",
        "volumeMounts": [
            *volumes.mounts(),
            {"name": "config", "mountPath": "/etc/perennial", "readOnly": True},
            *_work(job),
        ],
    }


def _work(job: TrainingJob) -> list[Manifest]:
    """The folder to work in, where it can't be beside the artifact."""
    return [{"name": "work", "mountPath": "/perennial/work"}] if job.spec.storage.uri.startswith("s3://") else []


def _image(job: TrainingJob, seen: Observed) -> str:
    """A Job's pods can't be changed any more: once it exists, its image stays, whatever the default is by now."""
    if seen.job:
        return str(seen.job["spec"]["template"]["spec"]["containers"][0]["image"])
    return job.spec.training.runtime.image or seen.defaults.training_image


def _resources(job: TrainingJob) -> dict[str, Any]:
    compute = job.spec.training.compute
    resources = compute.resources.to_wire()
    if compute.gpus_per_node:
        resources["limits"] = resources.get("limits", {}) | {"nvidia.com/gpu": str(compute.gpus_per_node)}
    return resources
