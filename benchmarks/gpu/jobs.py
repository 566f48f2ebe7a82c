"""Jobs in a folder that looks like a pod's mounts, and how one of their processes ran."""

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[2]
CORPUS = 6_000_000  # characters
GPU = torch.cuda.is_available()
# 135 M parameters; and small ones for what is no matter of speed, or where there is no GPU.
LARGE = {"layers": 12, "hiddenSize": 768, "heads": 12, "contextLength": 1024, "vocabularySize": 32768, "dropout": 0.0}
SMALL = {"layers": 4, "hiddenSize": 256, "heads": 4, "contextLength": 256, "vocabularySize": 4096, "dropout": 0.1}
TINY = {"layers": 2, "hiddenSize": 32, "heads": 2, "contextLength": 32, "vocabularySize": 512, "dropout": 0.0}


@dataclass
class Ran:
    """Code and output of a process, and its lines of progress with the clock's time of each."""

    code: int = -1
    output: list[str] = field(default_factory=list)
    signs: list[tuple[float, dict[str, Any]]] = field(default_factory=list)

    def steps_per_second(self, skipped: int) -> float | None:
        """By the watcher's clock, between two of the lines that come while it only trains; the first may compile."""
        progress = [(at, line["step"]) for at, line in self.signs if "validationLoss" not in line][skipped:]
        if len(progress) < 2:
            return None
        (start, first), (end, last) = progress[0], progress[-1]
        return float((last - first) / (end - start))

    def line(self, pattern: str) -> str | None:
        """The first part of the output that fits."""
        return next((match[0] for line in self.output if (match := re.search(pattern, line))), None)

    def said(self, name: str) -> Any:
        """What the process printed as {name: …}."""
        line = next((line for line in reversed(self.output) if line.startswith(f'{{"{name}"')), None)
        return json.loads(line)[name] if line else None


class Jobs:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.claims = folder / "claims" / "data"
        self.claims.mkdir(parents=True)
        library = sorted(Path(os.__file__).parent.rglob("*.py"))
        texts = (path.read_text(errors="replace") for path in library if "site-packages" not in path.parts)
        size = CORPUS if GPU else CORPUS // 20
        (self.claims / "corpus.txt").write_text("\n\n".join(texts)[:size])

    def job(self, name: str, architecture: dict[str, Any], steps: int, **hyperparameters: Any) -> dict[str, Any]:
        return {
            "schema": 1,
            "job": {"namespace": "benchmark", "name": name, "uid": name},
            "task": "text-generation",
            "model": {"architecture": {"family": "transformer", **(architecture if GPU else TINY)}},
            "data": {"train": [{"uri": "pvc://data/corpus.txt"}], "validation": {"fraction": 0.01}},
            "training": {
                "hyperparameters": {
                    "maxSteps": steps,
                    "learningRate": 5e-4,
                    "precision": "bfloat16",
                    **hyperparameters,
                },
                "evaluateEverySteps": steps,
                "checkpoints": {"everySteps": steps, "historyLimit": 1},
            },
            "output": {"uri": f"pvc://data/models/{name}"},
        }

    def artifact(self, job: dict[str, Any]) -> Path:
        return self.claims / str(job["output"]["uri"]).removeprefix("pvc://data/")

    def train(self, job: dict[str, Any], program: str = "train.py", *options: str, until: str | None = None) -> Ran:
        """Runs the job by a program beside this file; `until` ends it without warning at the first such line."""
        path = self.folder / f"{job['job']['name']}.json"
        path.write_text(json.dumps(job))
        return watch(
            [sys.executable, str(Path(__file__).with_name(program)), str(path), str(self.folder), *options], until
        )


def watch(command: list[str], until: str | None = None) -> Ran:
    """Runs to the end and tells on stderr what the process prints, with its seconds."""
    environment = os.environ | {"TRANSFORMERS_VERBOSITY": "error", "PYTHONUNBUFFERED": "1"}
    ran, began = Ran(), time.monotonic()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            now = time.monotonic()
            ran.output.append(line.rstrip())
            print(f"{process.pid} {now - began:5.1f} s: {line.rstrip()}", file=sys.stderr, flush=True)
            if line.startswith('{"perennial": "progress"'):
                ran.signs.append((now, json.loads(line)))
            if until and re.search(until, line):
                process.kill()
                break  # what it started may keep the pipe open for a while
    ran.code = process.returncode
    return ran
