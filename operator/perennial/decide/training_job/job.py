"""The Indexed Job of a training."""

from typing import Any

from perennial.api import TrainingJob
from perennial.decide.labels import KUEUE_QUEUE_NAME, TRAINING_JOB
from perennial.decide.metadata import child, labels_of
from perennial.decide.outcome import Manifest
from perennial.decide.pods.overlay import overlaid
from perennial.decide.pods.template import Volumes, container, environment, pod_template
from perennial.decide.training_job.configuration import config_map_name
from perennial.decide.training_job.observed import Observed, credentials, locations, mounts_comparison, required
from perennial.decide.training_job.rendezvous import nodes, variables
from perennial_contract import pod
from perennial_contract.exits import FINAL, PEER_LOST

CONTAINER = "training"


def batch_job(job: TrainingJob, observed: Observed) -> Manifest:
    """One pod per node. A disruption is not a failure, and bad input is not retried (KEP-3329).

    When a pod fails, the others lose their peer and exit; all restart and resume from the last checkpoint. A pod that
    exits with PEER_LOST does not count as failed, one that is torn down otherwise does; hence the limit of
    `backoffLimit` failures per pod.
    """
    count = nodes(job)
    spec = {
        "completionMode": "Indexed",
        "completions": count,
        "parallelism": count,
        "backoffLimit": job.spec.training.backoff_limit * count,
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": {"rules": _failure_rules()},
        # Immutable, whatever the defaults of the operator are by now.
        "template": observed.job.template if observed.job else _pod(job, observed),
    }
    if count > 1:  # the result is complete when index 0 has succeeded, whatever the others do
        spec["successPolicy"] = {"rules": [{"succeededIndexes": "0", "succeededCount": 1}]}
    if job.spec.training.active_deadline_seconds:
        spec["activeDeadlineSeconds"] = job.spec.training.active_deadline_seconds
    if job.spec.training.queue_name is None:  # otherwise Kueue suspends and resumes it
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


def _pod(job: TrainingJob, observed: Observed) -> Manifest:
    volumes = _volumes(job, observed)
    config = {"name": "config", "configMap": {"name": config_map_name(job)}}
    template = pod_template(
        labels_of(job, {TRAINING_JOB: job.metadata.name}),
        [_container(job, observed, volumes)],
        [*volumes.volumes(), config, *({"name": "work", "emptyDir": {}} for _ in _work(job))],
        restartPolicy="Never",
        terminationGracePeriodSeconds=pod.TRAINING_GRACE_SECONDS,
        **({"subdomain": job.metadata.name} if nodes(job) > 1 else {}),
    )
    return overlaid(template, observed.defaults.pods, job.spec.training.pod)


def _volumes(job: TrainingJob, observed: Observed) -> Volumes:
    """A pod never starts without a claim or a Secret that it mounts: those of a mere comparison may be missing."""
    comparison = job.spec.compare_with
    return Volumes.of(
        locations(job) if mounts_comparison(job, observed) else required(job),
        credentials(job),
        optional=[comparison.credentials] if comparison else [],
    )


def _container(job: TrainingJob, observed: Observed, volumes: Volumes) -> Manifest:
    mounts = [
        *volumes.mounts(),
        {"name": "config", "mountPath": str(pod.CONFIGURATION_FOLDER), "readOnly": True},
        *_work(job),
    ]
    return container(
        CONTAINER,
        job.spec.training.runtime.image or observed.defaults.training_image,
        job.spec.training.runtime.command or ["python", "-m", "perennial_training", "train"],
        mounts,
        _resources(job),
        env=environment(**variables(job)),
        ports=[{"name": "metrics", "containerPort": pod.TRAINING_METRICS_PORT, "protocol": "TCP"}],
        **_arguments(job),
        **_secrets(job),
    )


def _secrets(job: TrainingJob) -> Manifest:
    """Credentials for the tracking server."""
    tracking = job.spec.training.tracking
    name = tracking and tracking.mlflow.secret_name
    return {"envFrom": [{"secretRef": {"name": name}}]} if name else {}


def _arguments(job: TrainingJob) -> Manifest:
    runtime = job.spec.training.runtime
    return {"args": runtime.args} if runtime.command and runtime.args else {}


def _work(job: TrainingJob) -> list[Manifest]:
    """Mount of the working folder, which can't be next to an artifact in a bucket."""
    return (
        [{"name": "work", "mountPath": f"{pod.MOUNTS}/{pod.WORK}"}] if job.spec.output.uri.startswith("s3://") else []
    )


def _resources(job: TrainingJob) -> dict[str, Any]:
    compute = job.spec.training.compute
    resources = compute.resources.to_wire()
    if compute.gpus_per_node:
        resources["limits"] = resources.get("limits", {}) | {compute.gpu_resource: str(compute.gpus_per_node)}
    return resources
