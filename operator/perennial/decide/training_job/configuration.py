"""The configuration of a training pod: /etc/perennial/job.json."""

import json

from perennial.api import TrainingJob
from perennial.api.training import Training
from perennial.decide.fingerprint import fingerprint
from perennial.decide.metadata import child
from perennial.decide.outcome import Manifest
from perennial_contract.job import Job, JobModel, JobName, JobTracking, JobTraining, MlflowRun, Processes, StartingModel
from perennial_contract.pod import CONFIGURATION_NAME


def config_map(job: TrainingJob) -> Manifest:
    """The immutable ConfigMap with the configuration of the pod."""
    document = configuration(job).model_dump(mode="json", by_alias=True, exclude_none=True)
    manifest = child(job, "v1", "ConfigMap", config_map_name(job))
    return manifest | {"immutable": True, "data": {CONFIGURATION_NAME: json.dumps(document, indent=1)}}


def config_map_name(job: TrainingJob) -> str:
    return f"{job.metadata.name}-config"


def configuration(job: TrainingJob) -> Job:
    """The spec without the fields that only the operator reads, and with the resolved starting model."""
    at, spec = job.metadata, job.spec
    return Job(
        job=JobName(namespace=at.namespace, name=at.name, uid=at.uid, fingerprint=fingerprint(spec)),
        task=spec.model.task,
        model=_model(job),
        data=spec.data,
        training=_training(spec.training),
        compare_with=spec.compare_with,
        output=spec.output,
    )


def _model(job: TrainingJob) -> JobModel:
    model = job.spec.model
    start = job.status.base or model.pretrained
    return JobModel(
        architecture=model.architecture,
        pretrained=StartingModel.model_validate(start.model_dump()) if start else None,
        tuning=model.tuning,
    )


def _training(training: Training) -> JobTraining:
    compute, runtime = training.compute, training.runtime
    return JobTraining(
        hyperparameters=training.hyperparameters,
        evaluate_every_steps=training.evaluation_interval,
        early_stopping=training.early_stopping,
        checkpoints=training.checkpoints,
        compute=Processes(nodes=compute.nodes, gpus_per_node=compute.gpus_per_node, sharding=compute.sharding),
        tracking=_tracking(training),
        parameters=(runtime.parameters or {}) if runtime.command else None,
    )


def _tracking(training: Training) -> JobTracking | None:
    """Tracking without its Secret, which the pod has in its environment."""
    if training.tracking is None:
        return None
    return JobTracking(mlflow=MlflowRun.model_validate(training.tracking.mlflow.model_dump()))
