"""The configuration that a training pod reads: /etc/perennial/job.json."""

import json
from typing import Any

from perennial.api import TrainingJob
from perennial.api.training import Data, Training
from perennial.decide.metadata import child
from perennial.decide.outcome import Manifest
from perennial_contract.pod import CONFIGURATION_NAME

SCHEMA = 1


def config_map(job: TrainingJob) -> Manifest:
    """The immutable ConfigMap with the configuration of the pod."""
    manifest = child(job, "v1", "ConfigMap", config_map_name(job))
    return manifest | {"immutable": True, "data": {CONFIGURATION_NAME: json.dumps(config(job), indent=1)}}


def config_map_name(job: TrainingJob) -> str:
    return f"{job.metadata.name}-config"


def config(job: TrainingJob) -> dict[str, Any]:
    """The configuration by the training package's schema."""
    spec = job.spec
    model = _model(job)
    return {
        "schema": SCHEMA,
        "job": {"namespace": job.metadata.namespace, "name": job.metadata.name, "uid": job.metadata.uid},
        "task": model.pop("task"),
        "model": model,
        "data": _data(spec.data),
        "training": _training(spec.training),
        "compareWith": spec.compare_with.to_wire() if spec.compare_with else None,
        "output": spec.storage.to_wire(),
    }


def _model(job: TrainingJob) -> dict[str, Any]:
    """With what a LanguageModel was found to mean in its place; which version that was is of no use to the pod."""
    wire = job.spec.model.to_wire()
    if job.status.base:
        del wire["languageModel"]
        wire["pretrained"] = job.status.base.to_wire()
        del wire["pretrained"]["version"]
    return wire


def _data(data: Data) -> dict[str, Any]:
    wire = data.to_wire()
    if data.preprocessing.normalize_unicode == "None":
        wire["preprocessing"]["normalizeUnicode"] = None
    return wire


def _training(training: Training) -> dict[str, Any]:
    """Without what only the operator needs (runtime, pod, queue, deadline, retries)."""
    every = training.evaluate_every_steps or max(1, training.hyperparameters.max_steps // 10)
    common = {
        "hyperparameters": training.hyperparameters.to_wire(),
        "evaluateEverySteps": every,
        "earlyStopping": training.early_stopping.to_wire() if training.early_stopping else None,
        "checkpoints": training.checkpoints.to_wire(),
    }
    return common | _compute(training) | _tracking(training) | _parameters(training)


def _tracking(training: Training) -> dict[str, Any]:
    """Without the Secret, which the pod has in its environment."""
    if training.tracking is None:
        return {}
    wire = training.tracking.mlflow.to_wire()
    return {"tracking": {"mlflow": {name: value for name, value in wire.items() if name != "secretName"}}}


def _compute(training: Training) -> dict[str, Any]:
    """How many processes there are and what they share; nothing where there is one."""
    compute = training.compute
    if compute.nodes == 1 and compute.gpus_per_node < 2:
        return {}
    sharding = None if compute.sharding == "None" else compute.sharding
    return {"compute": {"nodes": compute.nodes, "gpusPerNode": compute.gpus_per_node, "sharding": sharding}}


def _parameters(training: Training) -> dict[str, Any]:
    """What a command of one's own is told beside all that; the built-in one knows no such field."""
    return {"parameters": training.runtime.parameters or {}} if training.runtime.command else {}
