"""Objects that tests of decisions begin with, as small as the API allows."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from perennial.api import LanguageModel, ModelDeployment, TrainingJob
from perennial.decide.defaults import Defaults
from perennial.decide.fingerprint import fingerprint
from perennial_testing.specs.small_manifests import merged

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DEFAULTS = Defaults(training_image="training:1", serving_image="serving:1")
DIGEST = "sha256:" + "ab" * 32
UID = "0f0e0d0c-1111-2222-3333-444444444444"
URI = "pvc://models/demo/v1"

MODEL_SPEC: dict[str, Any] = {
    "model": {"task": "text-generation", "architecture": {}},
    "data": {"train": [{"uri": "pvc://corpus/train.txt"}]},
    "storage": {"uri": "pvc://models"},
}


def after(**time: float) -> datetime:
    """A moment after NOW, as timedelta takes it: after(minutes=5)."""
    return NOW + timedelta(**time)


def metadata(name: str, generation: int = 1) -> dict[str, Any]:
    return {"name": name, "namespace": "demo", "uid": UID, "generation": generation}


def language_model(status: dict[str, Any] | None = None, generation: int = 1, **spec: Any) -> LanguageModel:
    return LanguageModel.model_validate(
        {"metadata": metadata("writer", generation), "spec": merged(MODEL_SPEC, spec), "status": status or {}}
    )


def training_job(status: dict[str, Any] | None = None, generation: int = 1, **spec: Any) -> TrainingJob:
    base = {name: MODEL_SPEC[name] for name in ("model", "data")} | {"output": {"uri": URI}}
    return TrainingJob.model_validate(
        {"metadata": metadata("writer-v1", generation), "spec": merged(base, spec), "status": status or {}}
    )


def deployment(status: dict[str, Any] | None = None, generation: int = 1, **spec: Any) -> ModelDeployment:
    base = {"model": {"name": "writer", "version": 2, "task": "text-generation", "uri": URI, "digest": DIGEST}}
    return ModelDeployment.model_validate(
        {"metadata": metadata("writer", generation), "spec": merged(base, spec), "status": status or {}}
    )


def result(loss: float = 2.0, uri: str = URI, **more: Any) -> dict[str, Any]:
    """What a training pod leaves, as JSON."""
    return {
        "perennial": "result",
        "schema": 1,
        "artifact": {"uri": uri, "digest": DIGEST, "sizeBytes": 4096},
        "metrics": {"loss": loss, "perplexity": 7.4, "bitsPerByte": 1.1},
        "steps": 300,
    } | more


def ended(code: int, message: Any = None, **more: Any) -> dict[str, Any]:
    """The state of a container that ended."""
    text = message if isinstance(message, str) else json.dumps(message) if message else ""
    return {"terminated": {"exitCode": code, "message": text, "finishedAt": "2026-03-01T12:00:00Z"} | more}


def pod(phase: str, *states: dict[str, Any], version: str = "2", created: str = "2026-03-01T11:00:00Z", **more: Any):
    """A pod with one container in these states: the current one, and the one before."""
    named = dict(zip(("state", "lastState"), states, strict=False))
    container = {"name": "training", "image": "training:1"} | named
    return {
        "metadata": {"name": "p", "creationTimestamp": created, "labels": {"perennial.dev/version": version}},
        "spec": {"nodeName": "worker-1"},
        "status": {"phase": phase, "containerStatuses": [container] if states else []} | more,
    }


def cut_off() -> list[dict[str, Any]]:
    """The conditions of a pod whose node stopped reporting: all is as it was, but the node controller's Ready."""
    return [
        {"type": "Ready", "status": "False", "lastTransitionTime": "2026-03-01T11:59:00Z"},
        {"type": "ContainersReady", "status": "True"},
    ]


def targeted(reason: str, message: str = "") -> list[dict[str, Any]]:
    """The conditions of a running pod that is about to be taken away (KEP-3329)."""
    target = {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": message}
    return [{"type": "Ready", "status": "True"}, {"type": "ContainersReady", "status": "True"}, target]


def true(type_: str, reason: str = "X", message: str = "x") -> dict[str, Any]:
    """A condition with status True."""
    return {
        "type": type_,
        "status": "True",
        "reason": reason,
        "message": message,
        "observedGeneration": 1,
        "lastTransitionTime": "2026-03-01T12:00:00Z",
    }


ENDED = {"completionTime": "2026-02-01T01:00:00Z"}
# By state of a version the facts that it stands for.
FACTS: dict[str, dict[str, Any]] = {
    "Training": {},
    "Accepted": ENDED | {"passedGates": True, "artifactState": "Kept"},
    "Refused": ENDED | {"passedGates": False, "artifactState": "Kept"},
    "Failed": ENDED,
    "Superseded": ENDED | {"supersededTime": "2026-02-01T01:00:00Z"},
}


def version(number: int = 1, state: str = "Accepted", **fields: Any) -> dict[str, Any]:
    """A version as the status keeps it, of the spec that language_model() has by default."""
    basis = {
        "number": number,
        "state": state,
        "trigger": "Initial",
        "fingerprint": fingerprint(language_model().spec),
        "trainingJob": f"writer-v{number}",
        "uri": f"pvc://models/writer/v{number}-0f0e0d0c",
        "startTime": "2026-02-01T00:00:00Z",
    }
    return basis | FACTS[state] | fields


def batch_job(*conditions: str, suspend: bool = False, **reason: str) -> dict[str, Any]:
    """A batch/v1 Job in which these conditions are true."""
    return {
        "metadata": {"name": "writer-v1"},
        "spec": {"suspend": suspend, "template": {"spec": {"containers": [{"image": "training:0"}]}}},
        "status": {
            "startTime": "2026-03-01T11:00:00Z",
            "conditions": [{"type": name, "status": "True"} | reason for name in conditions],
        },
    }
