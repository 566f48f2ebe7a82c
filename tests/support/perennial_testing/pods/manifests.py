"""Small objects for real pods: they train in seconds."""

import copy
from typing import Any

import yaml

from perennial_testing.cluster.control_plane import ROOT

Manifest = dict[str, Any]

CLAIM, DOCS_WRITER = yaml.safe_load_all((ROOT / "examples/docs-writer.yaml").read_text())
SMALL = {"layers": 2, "hiddenSize": 64, "heads": 2, "contextLength": 64, "vocabularySize": 512, "dropout": 0.0}
SMALL_RESOURCES = {"requests": {"cpu": "100m", "memory": "512Mi"}}

# Changes of the hyperparameters below that make a better and a worse version.
BETTER = {"maxSteps": 160}
WORSE = {"maxSteps": 30, "learningRate": 0.00001}


def small_model(name: str = "small", **spec: Any) -> Manifest:
    """The demo's LanguageModel, but one that trains in seconds, does not scale and is not retrained."""
    manifest = copy.deepcopy(DOCS_WRITER)
    manifest["metadata"]["name"] = name
    manifest["spec"]["model"]["architecture"] |= SMALL
    manifest["spec"]["training"]["hyperparameters"] |= {"maxSteps": 30, "batchSize": 8, "learningRate": 0.003}
    manifest["spec"]["training"]["compute"] = {"resources": SMALL_RESOURCES}
    manifest["spec"]["deployment"] = {"runtime": {"resources": SMALL_RESOURCES}}
    del manifest["spec"]["retraining"]
    manifest["spec"] |= spec
    return manifest


def small_job(name: str, **spec: Any) -> Manifest:
    """A TrainingJob of the same size."""
    model = small_model()["spec"]
    parts = {key: model[key] for key in ("model", "data", "training")}
    output = {"uri": f"pvc://models/{name}"}
    head = {"apiVersion": "perennial.dev/v1alpha1", "kind": "TrainingJob", "metadata": {"name": name}}
    return head | {"spec": parts | {"output": output} | spec}
