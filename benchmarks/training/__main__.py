"""Measures what a TrainingJob costs beside a bare loop and beside transformers' Trainer, all in one run.

Each round runs the three one after the other, in the next round in the opposite order; the median of the rounds counts.
Tokens per second are those between the first and the last sign of life of the training phase, by the clock of the
process that watches: no start, no data, no evaluation, no checkpoint. Nothing else should run on the machine.
"""

import argparse
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks/results/training.json"
SYSTEMS = ("perennial", "bare_loop", "transformers_trainer")
SHAKESPEARE_CHARACTERS = 1_115_394  # the size of the text that nanoGPT's figure is about
PUBLISHED_LOSS = 1.88  # nats per character; nanoGPT's README, "I only have a macbook"


@dataclass(frozen=True)
class Ran:
    """Seconds in all, the signs of life while it trained (step, seconds), and the result that was left."""

    seconds: float
    signs: list[tuple[int, float]]
    result: dict[str, Any]

    @property
    def steps_per_second(self) -> float:
        """From the first sign to the last."""
        (first, start), (last, end) = self.signs[0], self.signs[-1]
        return (last - first) / (end - start)

    def not_training(self, steps: int) -> float:
        """The share of the run that its steps do not need, at the speed that the run itself had between its signs."""
        speeds = [(later - step) / (end - start) for (step, start), (later, end) in itertools.pairwise(self.signs)]
        return 1 - steps / statistics.median(speeds) / self.seconds


def main() -> None:
    options = _parser().parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        bench.write_corpus()
        found = {"tokens_per_second": bench.speeds(options.rounds, options.steps)}
        best = max(found["tokens_per_second"][name] for name in SYSTEMS[1:])
        found["ratio_to_better"] = round(found["tokens_per_second"]["perennial"] / best, 3)
        speed = found["tokens_per_second"]["perennial"]
        for minutes in options.minutes:
            found[f"overhead_share_{minutes}min"] = bench.overhead(minutes, speed)
        if not options.no_nanogpt:
            found["nanogpt"] = bench.nanogpt()
    found["machine"] = {"cpus": os.cpu_count(), "torch": torch.__version__, "python": sys.version.split()[0]}
    print(json.dumps(found, indent=1))
    options.output.write_text(json.dumps(found, indent=1) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks/training", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--rounds", type=int, default=4, help="number of rounds of the three systems (default: %(default)s)"
    )
    parser.add_argument("--steps", type=int, default=250, help="steps of each run (default: %(default)s)")
    parser.add_argument(
        "--minutes",
        type=int,
        nargs="*",
        default=[1, 10],
        help="length of the trainings for which the overhead is computed, in minutes",
    )
    parser.add_argument("--no-nanogpt", action="store_true", help="skip nanoGPT's recipe")
    parser.add_argument("--output", type=Path, default=RESULTS, help="file for the results (default: %(default)s)")
    return parser


class Bench:
    """Jobs in a folder that looks like a pod's mounts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs = 0
        self.claims = folder / "claims" / "data"
        self.claims.mkdir(parents=True)

    def write_corpus(self) -> None:
        """The Python language reference; and with the library's source behind it as much text as nanoGPT's is."""
        text = subprocess.run([sys.executable, ROOT / "examples/data/reference.py"], check=True, stdout=subprocess.PIPE)
        (self.claims / "reference.txt").write_bytes(text.stdout)
        library = sorted(Path(os.__file__).parent.glob("*.py"))
        more = text.stdout.decode() + "\n\n".join(path.read_text(errors="replace") for path in library)
        (self.claims / "million.txt").write_text(more[:SHAKESPEARE_CHARACTERS])

    def speeds(self, rounds: int, steps: int) -> dict[str, float]:
        found: dict[str, list[float]] = {name: [] for name in SYSTEMS}
        for number in range(rounds):
            for name in SYSTEMS if number % 2 == 0 else SYSTEMS[::-1]:
                job = self.job(steps)
                ran = self.run(name, job)
                found[name].append(ran.steps_per_second * _tokens(job))
                print(f"round {number + 1} of {rounds}: {name} {found[name][-1]:,.0f} tokens/s", file=sys.stderr)
        return {name: round(statistics.median(values), 1) for name, values in found.items()}

    def overhead(self, minutes: int, speed: float) -> float:
        """The share of a run with so many minutes of training that is not training: with the usual evaluations."""
        steps = round(60 * minutes * speed / _tokens(self.job(1)))
        job = self.job(steps)
        job["training"] |= {
            "evaluateEverySteps": max(1, steps // 10),
            "checkpoints": {"everySteps": max(1, steps // 5), "historyLimit": 2},
        }
        ran = self.run("perennial", job)
        share = ran.not_training(steps)
        print(f"{minutes} min of training in a run of {ran.seconds:.0f} s: {share:.1%} is not", file=sys.stderr)
        return round(share, 4)

    def nanogpt(self) -> dict[str, Any]:
        """Its recipe for a CPU, on another text of the same size."""
        job = self.job(2000)
        job["data"]["train"] = [{"uri": "pvc://data/million.txt"}]
        job["model"]["architecture"] |= {
            "layers": 4, "hiddenSize": 128, "heads": 4, "contextLength": 64, "tokenizer": "characters", "dropout": 0.0,
            "vocabularySize": 1024,
        }  # fmt: skip
        job["training"]["hyperparameters"] |= {"batchSize": 12, "learningRate": 1e-3, "warmupSteps": 100}
        ran = self.run("perennial", job)
        return {
            "loss": ran.result["metrics"]["loss"],
            "published_loss_of_shakespeare": PUBLISHED_LOSS,
            "seconds": round(ran.seconds, 1),
            "characters": SHAKESPEARE_CHARACTERS,
        }

    def job(self, steps: int) -> dict[str, Any]:
        """Small enough for a CPU, and without an evaluation or a checkpoint before its end."""
        self.runs += 1
        return {
            "schema": 1,
            "job": {"namespace": "benchmark", "name": f"run-{self.runs}", "uid": f"run-{self.runs}"},
            "task": "text-generation",
            "model": {
                "architecture": {
                    "family": "transformer", "layers": 4, "hiddenSize": 128, "heads": 4, "contextLength": 128,
                    "vocabularySize": 2048, "dropout": 0.1,
                }
            },
            "data": {"train": [{"uri": "pvc://data/reference.txt"}], "validation": {"fraction": 0.1}},
            "training": {
                "hyperparameters": {
                    "maxSteps": steps, "batchSize": 16, "learningRate": 1e-3, "warmupSteps": 0, "weightDecay": 0.1
                },
                "evaluateEverySteps": steps,
                "checkpoints": {"everySteps": steps, "historyLimit": 1},
            },
            "output": {"uri": f"pvc://data/models/run-{self.runs}"},
        }  # fmt: skip

    def run(self, system: str, job: dict[str, Any]) -> Ran:
        path = self.folder / "job.json"
        path.write_text(json.dumps(job))
        log = self.folder / "termination-log"
        if system == "perennial":
            command = ["-m", "perennial_training", "train", "--config", path, "--mounts", self.folder]
            command += ["--termination-log", log, "--metrics-port", "0"]
        else:
            which = {"bare_loop": "bare", "transformers_trainer": "trainer"}[system]
            command = [Path(__file__).with_name("loops.py"), which, path, self.folder]
        began = time.monotonic()
        signs = _watch([sys.executable, *map(str, command)])
        seconds = time.monotonic() - began
        result = json.loads(log.read_text()) if system == "perennial" else {}
        return Ran(seconds, signs, result)


def _watch(command: list[str]) -> list[tuple[int, float]]:
    """The steps of which the process told while it trained, each with the time of that."""
    environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE", "TRANSFORMERS_VERBOSITY": "error"}
    signs, output = [], []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            output.append(line)
            found = re.match(r'step (\d+)|\{"perennial": "progress", "step": (\d+)', line)
            if found and "validationLoss" not in line:
                signs.append((int(found[1] or found[2]), time.monotonic()))
    if process.returncode or len(signs) < 2:
        raise SystemExit(f"{''.join(output[-20:])}\n{command} ended with {process.returncode} after {len(signs)} signs")
    return signs


def _tokens(job: dict[str, Any]) -> int:
    return int(job["training"]["hyperparameters"]["batchSize"] * job["model"]["architecture"]["contextLength"])


if __name__ == "__main__":
    main()
