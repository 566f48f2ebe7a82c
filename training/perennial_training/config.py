"""Loading of job.json, and the demands of the built-in runtime on it; the schema is perennial_contract.job."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, from_json

from perennial_contract import exits, uri
from perennial_contract.job import Job
from perennial_contract.tasks import TASKS

_DATA = ("pvc", "configmap", "s3", "hf dataset", "https", "file")
_MODEL = ("pvc", "s3", "hf")
_ARTIFACT = ("pvc", "s3")
_SCHEMES = {"data": _DATA, "model": _MODEL, "compareWith": _ARTIFACT, "output": _ARTIFACT}


def load(path: Path) -> Job:
    """Reads a job's configuration; exits.Failure names each field that is wrong, and why."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise exits.Failure(
            "ConfigurationMissing",
            f"{path} can't be read ({error.strerror}); give the job's configuration with --config FILE",
            exits.BAD_CONFIGURATION,
        ) from None
    try:
        job = Job.model_validate_json(content, strict=True)
    except ValidationError as error:
        complaints = [_complaint(entry) for entry in error.errors()]
    else:
        complaints = [*_unknown_fields(Job, from_json(content)), *_violations(job)]
        if not complaints:
            return job
    message = f"{path.name} is not a valid job: {'; '.join(complaints)}"
    raise exits.Failure("BadConfiguration", message, exits.BAD_CONFIGURATION)


def _complaint(error: ErrorDetails) -> str:
    field = ".".join(str(part) for part in error["loc"])
    if error["type"] == "string_pattern_mismatch" and error["loc"][-1] == "uri" and error["loc"][0] in _SCHEMES:
        return f"{field}: {_unreadable(error['input'], _SCHEMES[str(error['loc'][0])]) or error['msg']}"
    return f"{field}: {error['msg']}" if field else error["msg"]


def _unknown_fields(model: type[BaseModel], document: Any, path: str = "") -> Iterator[str]:
    """A field that this version does not know is an error of the writer, as schema 1 has no such field."""
    if not isinstance(document, dict):
        return
    known = {field.alias or name: field for name, field in model.model_fields.items()}
    for name, value in document.items():
        if name not in known:
            yield f"{path}{name} is not a known field"
            continue
        block = _block(known[name].annotation)
        for index, item in enumerate(value if isinstance(value, list) else ()):
            if block:
                yield from _unknown_fields(block, item, f"{path}{name}.{index}.")
        if block:
            yield from _unknown_fields(block, value, f"{path}{name}.")


def _block(annotation: Any) -> type[BaseModel] | None:
    """The model in an annotation such as `Block`, `Block | None` or `list[Block]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_block, get_args(annotation))), None)


def _violations(job: Job) -> Iterator[str]:
    for field, value in job.uris():
        if problem := _unreadable(value, _SCHEMES[field.partition(".")[0]]):
            yield f"{field}: {problem}"
    yield from _of_the_model(job)
    yield from _of_the_training(job)
    if (job.data.validation.fraction is None) == (job.data.validation.uri is None):
        yield "data.validation: give exactly one of fraction and uri"


def _of_the_model(job: Job) -> Iterator[str]:
    model, start = job.model, job.model.pretrained
    if job.task not in TASKS:
        yield f"task: {job.task!r} is not one of {', '.join(TASKS)}"
    if (model.architecture is None) == (start is None):
        yield "model: give exactly one of architecture and pretrained"
    if model.tuning and not start:
        yield "model: tuning adapts a model that exists: it needs pretrained"
    if start and start.revision is not None and not start.uri.startswith("hf://"):
        yield f"model.pretrained: revision {start.revision!r} has no meaning for {start.uri}; only hf:// has revisions"
    if (shape := model.architecture) is None:
        return
    if shape.family == "transformer" and shape.hidden_size % (2 * shape.heads):
        yield (
            f"model.architecture: hiddenSize {shape.hidden_size} must be a multiple of twice the heads "
            f"({2 * shape.heads}): each head's share is rotated in pairs"
        )
    if job.task in TASKS and shape.family not in TASKS[job.task].families:
        yield f"model.architecture: {job.task} has no {shape.family}; use {', '.join(TASKS[job.task].families)}"
    if job.training.hyperparameters.gradient_checkpointing and shape.family != "transformer":
        yield "training.hyperparameters: gradientCheckpointing is for transformers; leave it out"


def _of_the_training(job: Job) -> Iterator[str]:
    training, values = job.training, job.training.hyperparameters
    if values.warmup_steps >= values.max_steps:
        yield (
            f"training.hyperparameters: warmupSteps {values.warmup_steps} must be smaller than maxSteps "
            f"{values.max_steps}"
        )
    if values.label_smoothing and job.task == "question-answering":
        yield "training.hyperparameters: labelSmoothing has no meaning for question-answering; leave it out"
    processes = training.compute.count
    if values.batch_size % (processes * (values.micro_batch_size or 1)):
        factors = "processes times microBatchSize" if values.micro_batch_size else "processes"
        yield f"training: batchSize {values.batch_size} must be a multiple of the {processes} {factors}"
    if training.compute.sharding != "None" and not (training.compute.gpus_per_node and processes > 1):
        yield "training.compute: sharding FSDP needs several GPUs: set gpusPerNode, or leave sharding out"
    if training.tracking and training.tracking.mlflow.alias and not training.tracking.mlflow.registered_model:
        yield f"training.tracking.mlflow: alias {training.tracking.mlflow.alias!r} needs registeredModel"
    if training.parameters is not None:
        yield "training.parameters is for a program of one's own; leave it out"


def _unreadable(value: str, schemes: tuple[str, ...]) -> str | None:
    """What is wrong with a URI where one of these kinds is expected."""
    try:
        location = uri.parse(value)
    except ValueError as error:
        return str(error)
    kind = "hf dataset" if location.scheme == "hf" and location.path else location.scheme
    if kind not in schemes:
        return f"{value!r} can't be used here; use {', '.join(uri.FORMS[scheme] for scheme in schemes)}"
    if location.scheme in ("pvc", "s3") and not location.path:
        place = "a claim" if location.scheme == "pvc" else "a bucket"
        return f"{value!r} names {place}, but no path in it; use {uri.FORMS[location.scheme]}"
    return None
