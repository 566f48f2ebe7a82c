"""The contract between Perennial and a program that trains (docs/guides/runtimes.md), for programs in Python.

Standard library only, as is perennial_contract, which writes the artifact's manifest.
"""

import argparse
import hashlib
import json
import os
import shutil
import signal
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perennial_contract import exits, manifest, pod
from perennial_contract.exits import Failure
from perennial_contract.uri import local_path


@dataclass(frozen=True)
class Example:
    """A text and what it is."""

    text: str
    label: str


class Job:
    """What is to be trained, from which data, and where the artifact goes."""

    def __init__(self, config: dict[str, Any], mounts: Path, log: Path) -> None:
        self.config = config
        self.mounts = mounts
        self.log = log
        self.parameters: dict[str, str] = config["training"]["parameters"]
        self.hyperparameters: dict[str, Any] = config["training"]["hyperparameters"]
        self.output = local_path(config["output"]["uri"], mounts)
        # Beside the artifact, so that checkpoints survive the pod and the artifact can be moved into its place.
        self.work = self.output.with_name(f"{self.output.name}.partial") / config["job"]["uid"]
        self.terminated = False
        signal.signal(signal.SIGTERM, self._terminate)

    def _terminate(self, *_: object) -> None:
        self.terminated = True

    def examples(self) -> tuple[list[Example], list[Example]]:
        """The examples to learn from and those held out; which one is held out follows from its content."""
        data = self.config["data"]
        train = [example for source in data["train"] for example in self._read(source["uri"])]
        if uri := data["validation"].get("uri"):
            return train, list(self._read(uri))
        limit = data["validation"]["fraction"] * 2**32
        held_out = [example for example in train if _hash(example.text) < limit]
        train = [example for example in train if _hash(example.text) >= limit]
        if not train or not held_out:
            raise Failure("EmptyCorpus", f"{data['train'][0]['uri']} holds too few examples.", exits.BAD_DATA)
        return train, held_out

    def _read(self, uri: str) -> Iterator[Example]:
        fields = self.config["data"]["fields"]
        text, label = fields.get("text", "text"), fields.get("label") or "label"
        path = local_path(uri, self.mounts)
        if not path.is_file():
            raise Failure("DataMissing", f"{uri} does not exist.", exits.MISSING_INPUT)
        for number, line in enumerate(path.read_text().splitlines(), 1):
            try:
                row = json.loads(line)
                yield Example(str(row[text]), str(row[label]))
            except (ValueError, KeyError, TypeError):
                told = f"Line {number} of {uri} is no JSON object with {text!r} and {label!r}."
                raise Failure("BadExample", told, exits.BAD_DATA) from None

    def progress(self, step: int, **numbers: float) -> None:
        """One line for the operator: loss, validationLoss, tokensPerSecond, etaSeconds."""
        line = {"perennial": "progress", "step": step, "maxSteps": self.hyperparameters["maxSteps"], **numbers}
        print(json.dumps(line), flush=True)

    def judge_served(self, judge: Callable[[Path], dict[str, float]]) -> dict[str, Any]:
        """What `publish` says of the version in service, judged on the held-out data; betterThanServed reads it.

        One that can't be read must not cost the training: the result then says why.
        """
        served = self.config.get("compareWith")
        if served is None:
            return {}
        folder = local_path(served["uri"], self.mounts)
        try:
            manifest.verify(folder, served["digest"])
        except manifest.TamperedArtifact as error:
            return {"comparison": {"version": served["version"], "message": f"{served['uri']}: {error}"}}
        return {"comparison": {"version": served["version"], "metrics": judge(folder)}}

    def publish(self, folder: Path, metrics: dict[str, float], steps: int, **more: Any) -> None:
        """Seals the folder, moves it to its place in one step, and leaves the result."""
        facts = {"task": self.config["task"], "job": self.config["job"], "metrics": metrics, "steps": steps, **more}
        manifest.write(folder, facts)
        os.rename(folder, self.output)
        manifest.sync_folder(self.output.parent)
        shutil.rmtree(self.work.parent, ignore_errors=True)
        self.leave_result()

    def leave_result(self) -> None:
        """What the operator is told, read from the artifact: asked again, the same."""
        facts = manifest.verify(self.output, None)
        artifact = {
            "uri": self.config["output"]["uri"],
            "digest": manifest.digest_of(self.output),
            "sizeBytes": manifest.size(self.output),
        }
        repeated = {name: facts[name] for name in manifest.RESULT_FACTS if name in facts}
        exits.leave({"perennial": "result", "schema": 1, "artifact": artifact} | repeated, self.log)

    def is_done(self) -> bool:
        """Whether this very job has published already and was killed before it could say so."""
        if not self.output.exists():
            return False
        if manifest.verify(self.output, None)["job"]["uid"] != self.config["job"]["uid"]:
            uri = self.config["output"]["uri"]
            raise Failure("OutputTaken", f"{uri} holds the artifact of another job.", exits.BAD_CONFIGURATION)
        return True


def run(train: Callable[[Job], None]) -> int:
    """Trains; returns the exit code, and leaves result or failure as the termination message."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, default=pod.CONFIGURATION)
    parser.add_argument("--mounts", type=Path, default=pod.MOUNTS)
    parser.add_argument("--termination-log", type=Path, default=exits.TERMINATION_LOG)
    options = parser.parse_args()
    try:
        job = Job(json.loads(options.config.read_bytes()), options.mounts, options.termination_log)
        if job.is_done():
            job.leave_result()
            return 0
        job.work.mkdir(parents=True, exist_ok=True)
        train(job)
    except Failure as failure:
        print(f"{failure.reason}: {failure.message}", flush=True)
        exits.report(failure, options.termination_log)
        return failure.code
    except Exception as error:
        traceback.print_exc()
        exits.report(Failure("UnexpectedError", f"{type(error).__name__}: {error}", 1), options.termination_log)
        return 1
    return 0


def stopped() -> Failure:
    """The end after SIGTERM, with a checkpoint from which the next pod goes on."""
    return Failure("Terminated", "stopped by SIGTERM; it goes on from its checkpoint", exits.TERMINATED)


def scores(truth: list[int], found: list[int], classes: int) -> dict[str, float]:
    """Accuracy, and F1 averaged over the classes."""
    pairs = list(zip(truth, found, strict=True))
    f1 = 0.0
    for number in range(classes):
        hits = sum(1 for pair in pairs if pair == (number, number))
        named = sum(1 for pair in pairs if number in pair)  # hits, misses and false alarms
        f1 += 2 * hits / (hits + named) if named else 0.0
    return {"accuracy": sum(1 for a, b in pairs if a == b) / len(pairs), "f1": f1 / classes}


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4])
