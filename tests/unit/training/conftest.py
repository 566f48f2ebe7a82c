"""A pod's surroundings in a folder: claims, ConfigMaps, a job.json, and the command that runs in the pod."""

import json
import os
import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from perennial_testing.training.forked_program import ForkedProgram
from perennial_training import __main__ as command

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch is loaded; the command does so too

TEXT = "the model reads a text and learns which word may follow another because words keep company"


def sentences(count: int, seed: int = 0) -> str:
    """Plain text of `count` different paragraphs."""
    dice = random.Random(seed)
    return "\n\n".join(" ".join(dice.choices(TEXT.split(), k=30)) + f" {number}" for number in range(count))


@dataclass
class Ended:
    """How a run ended: exit code, termination message, progress lines."""

    code: int
    message: dict[str, Any]
    output: str = ""
    progress: list[dict[str, Any]] = field(default_factory=list)

    @property
    def curve(self) -> list[tuple[int, float]]:
        return [(line["step"], line["validationLoss"]) for line in self.progress if "validationLoss" in line]


class Pod:
    """Mounts, a job and its termination log below `root`; `job` may be changed before `run`."""

    def __init__(self, root: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self.capture = capture
        self.claims = root / "claims"
        for folder in (self.claims / "corpus", self.claims / "models", root / "configmaps" / "corpus"):
            folder.mkdir(parents=True)
        self.corpus = self.claims / "corpus" / "train.txt"
        self.corpus.write_text(sentences(120))
        self.log = root / "termination-log"
        self.job = tiny_job()
        self.begun: list[ForkedProgram] = []

    @property
    def output(self) -> Path:
        return self.claims / self.job["output"]["uri"].removeprefix("pvc://")

    @property
    def work(self) -> Path:
        return self.output.with_name(f"{self.output.name}.partial") / self.job["job"]["uid"]

    def arguments(self) -> list[str]:
        (self.root / "job.json").write_text(json.dumps(self.job))
        self.log.write_text("")
        options = ["--mounts", self.root, "--termination-log", self.log]
        return ["train", "--config", str(self.root / "job.json"), "--metrics-port", "0", *map(str, options)]

    def run(self) -> Ended:
        """Trains in this process (torch is loaded once for all tests)."""
        before = signal.getsignal(signal.SIGTERM)
        self.capture.readouterr()
        try:
            code = command.main(self.arguments())
        finally:
            signal.signal(signal.SIGTERM, before)
        return self.ended(code, "".join(self.capture.readouterr()))

    def start(self, **environment: str) -> ForkedProgram:
        """Trains in a process of its own, which a test may kill."""
        program = ForkedProgram("perennial_training", *self.arguments(), environment=os.environ | environment)
        self.begun.append(program)
        return program

    def ended(self, code: int, output: str) -> Ended:
        lines = [json.loads(line) for line in output.splitlines() if line.startswith('{"perennial": "progress"')]
        return Ended(code, json.loads(self.log.read_text() or "{}"), output, lines)


def tiny_job() -> dict[str, Any]:
    return {
        "schema": 1,
        "job": {"namespace": "demo", "name": "tiny", "uid": "uid-1", "fingerprint": "0123456789abcdef"},
        "task": "text-generation",
        "model": {
            "architecture": {
                "family": "transformer",
                "layers": 1,
                "hiddenSize": 16,
                "heads": 2,
                "contextLength": 16,
                "vocabularySize": 300,
                "dropout": 0.1,
            }
        },
        "data": {
            "train": [{"uri": "pvc://corpus/train.txt", "weight": 1.0, "credentials": None}],
            "validation": {"fraction": 0.2},
            "fields": {"text": "text"},
            "preprocessing": {"normalizeUnicode": "NFKC", "deduplicate": True, "minCharacters": 20},
        },
        "training": {
            "hyperparameters": {
                "maxSteps": 12,
                "batchSize": 4,
                "microBatchSize": None,
                "learningRate": 0.01,
                "learningRateSchedule": "cosine",
                "warmupSteps": 2,
                "weightDecay": 0.1,
                "maxGradientNorm": 1.0,
                "labelSmoothing": 0.0,
                "precision": "float32",
                "gradientCheckpointing": False,
                "compile": "Auto",
                "seed": 1,
            },
            "evaluateEverySteps": 4,
            "earlyStopping": None,
            "checkpoints": {"everySteps": 3, "historyLimit": 2},
            "compute": {"nodes": 1, "gpusPerNode": 0, "sharding": "None"},
            "tracking": None,
            "parameters": None,
        },
        "compareWith": None,
        "output": {"uri": "pvc://models/tiny/v1"},
    }


@pytest.fixture
def pod(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Pod]:
    made = Pod(tmp_path, capsys)
    yield made
    for program in made.begun:
        program.close()
