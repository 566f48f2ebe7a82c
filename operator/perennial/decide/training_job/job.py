"""The Indexed Job that trains."""

from typing import Any

from perennial.api import TrainingJob
from perennial.decide.labels import KUEUE_QUEUE_NAME, TRAINING_JOB
from perennial.decide.metadata import child, labels_of
from perennial.decide.outcome import Manifest
from perennial.decide.pods.template import Volumes, container, environment, overlaid, pod_template
from perennial.decide.training_job.configuration import config_map_name
from perennial.decide.training_job.observed import Observed, credentials, locations
from perennial.decide.training_job.rendezvous import nodes, variables
from perennial_contract import pod
from perennial_contract.exits import FINAL, PEER_LOST

CONTAINER = "training"


def batch_job(job: TrainingJob, seen: Observed) -> Manifest:
    """A pod per node; a disruption is not a failure, and bad input is not tried again (KEP-3329).

    When one pod fails, the others lose their peer and end as well; all are started again and go on from the last
    checkpoint. Those that say so (PEER_LOST) don't count as failures; those that are torn down otherwise do, so that
    the limit is that of `backoffLimit` failures of all pods.
    """
    count = nodes(job)
    spec = {
        "completionMode": "Indexed",
        "completions": count,
        "parallelism": count,
        "backoffLimit": job.spec.training.backoff_limit * count,
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": {"rules": _failure_rules()},
        "template": _pod(job, seen),
    }
    if count > 1:  # the result is there when index 0 has ended well, whatever becomes of the others
        spec["successPolicy"] = {"rules": [{"succeededIndexes": "0", "succeededCount": 1}]}
    if job.spec.training.active_deadline_seconds:
        spec["activeDeadlineSeconds"] = job.spec.training.active_deadline_seconds
    if job.spec.training.queue_name is None:  # else it is Kueue's
        spec["suspend"] = job.spec.suspend
    labels = {KUEUE_QUEUE_NAME: job.spec.training.queue_name} if job.spec.training.queue_name else {}
    return child(job, "batch/v1", "Job", job.metadata.name, labels) | {"spec": spec}


def _failure_rules() -> list[Manifest]:
    final = {"containerName": CONTAINER, "operator": "In", "values": sorted(FINAL)}
    return [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {"action": "FailJob", "onExitCodes": final},
        {"action": "Ignore", "onExitCodes": final | {"values": [PEER_LOST]}},
    ]


def _pod(job: TrainingJob, seen: Observed) -> Manifest:
    volumes = Volumes.of(locations(job), credentials(job))
    config = {"name": "config", "configMap": {"name": config_map_name(job)}}
    template = pod_template(
        labels_of(job, {TRAINING_JOB: job.metadata.name}),
        [_container(job, seen, volumes)],
        [*volumes.volumes(), config, *({"name": "work", "emptyDir": {}} for _ in _work(job))],
        restartPolicy="Never",
        terminationGracePeriodSeconds=pod.TRAINING_GRACE_SECONDS,
        **({"subdomain": job.metadata.name} if nodes(job) > 1 else {}),
    )
    return overlaid(template, job.spec.training.pod)


def _container(job: TrainingJob, seen: Observed, volumes: Volumes) -> Manifest:
    mounts = [
        *volumes.mounts(),
        {"name": "config", "mountPath": str(pod.CONFIGURATION_FOLDER), "readOnly": True},
        *_work(job),
    ]
    return container(
        CONTAINER,
        _image(job, seen),
        job.spec.training.runtime.command or ["python", "-m", "perennial_training", "train"],
        mounts,
        _resources(job),
        env=environment(**variables(job)),
        ports=[{"name": "metrics", "containerPort": pod.TRAINING_METRICS_PORT, "protocol": "TCP"}],
        **_arguments(job),
        **_secrets(job),
    )


def _secrets(job: TrainingJob) -> Manifest:
    """What the tracking server wants to know of who asks."""
    tracking = job.spec.training.tracking
    name = tracking and tracking.mlflow.secret_name
    return {"envFrom": [{"secretRef": {"name": name}}]} if name else {}


def _arguments(job: TrainingJob) -> Manifest:
    runtime = job.spec.training.runtime
    return {"args": runtime.args} if runtime.command and runtime.args else {}


def _work(job: TrainingJob) -> list[Manifest]:
    """The folder to work in, where it can't be beside the artifact."""
    return (
        [{"name": "work", "mountPath": f"{pod.MOUNTS}/{pod.WORK}"}] if job.spec.output.uri.startswith("s3://") else []
    )


def _image(job: TrainingJob, seen: Observed) -> str:
    """A Job's pods can't be changed any more: once it exists, its image stays, whatever the default is by now."""
    if seen.job:
        return seen.job.image
    return job.spec.training.runtime.image or seen.defaults.training_image


def _resources(job: TrainingJob) -> dict[str, Any]:
    compute = job.spec.training.compute
    resources = compute.resources.to_wire()
    if compute.gpus_per_node:
        resources["limits"] = resources.get("limits", {}) | {compute.gpu_resource: str(compute.gpus_per_node)}
    return resources
