"""A training job from its configuration to its result."""

import json
import os
import shutil
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perennial_contract import uri
from perennial_contract.job import Job
from perennial_contract.report import Report
from perennial_training import starting_model
from perennial_training.distributed import launch
from perennial_training.distributed.termination import Termination
from perennial_training.output import artifact, output_of
from perennial_training.output.card import card
from perennial_training.output.output import Output
from perennial_training.preparation import prepare
from perennial_training.prepared import Prepared
from perennial_training.telemetry import tracking

if TYPE_CHECKING:
    from perennial_training.fitting.fitting import Fitted


def run(config: Job, mounts: Path, metrics_port: int, termination: Termination, report: Report) -> dict[str, Any]:
    """Prepares, trains, compares, publishes; returns the result. Raises exits.Failure.

    A job that is already done gives its result again.
    """
    output = output_of(config, mounts, report)
    if done := output.finished():
        report(f"{config.output.uri} already holds the artifact of this job")
        return done
    if not launch.leads(os.environ):
        return _follow(config, mounts, output, termination, report)
    # What is compared with is verified before hours of training depend on it.
    served = starting_model.served(config.compare_with, mounts, report) if config.compare_with else None
    output.open()
    prepared = prepare(config, mounts, output.work, report)

    # torch takes seconds to load: not before the input proved good.
    from perennial_training.fitting.fitting import Fitting

    with tracking.tracked(config, report) as run:
        fitting = Fitting(config, prepared, output, report)
        fitted = fitting.fit(metrics_port, termination, run)
        comparison = None
        if config.compare_with is not None and served is not None:
            report(f"judging the served version {config.compare_with.version} on the same texts")
            folder, facts = served
            metrics = fitting.compare(folder, facts["contextLength"])
            comparison = {"version": config.compare_with.version, "metrics": metrics}
        facts = _facts(config, prepared, fitted, comparison)
        fitting.explain(fitted, facts)
        report(f"writing the artifact to {config.output.uri}")
        with tempfile.TemporaryDirectory() as reports:
            if run is not None:
                _write_reports(facts, output.work / "explanation", Path(reports))
            result = output.publish(fitted.weights, prepared.tokenizer, facts)
            if run is not None:
                result |= {"tracking": run.end("FINISHED", result, Path(reports))}
        return result


def _write_reports(facts: dict[str, Any], explanation: Path, folder: Path) -> None:
    """What the tracking server gets of the artifact: all but the weights."""
    (folder / "README.md").write_text(card(facts))
    (folder / "perennial.json").write_text(json.dumps(facts, indent=1))
    shutil.copytree(explanation, folder / "explanation")


def _follow(config: Job, mounts: Path, output: Output, termination: Termination, report: Report) -> dict[str, Any]:
    """Trains along with the process that leads (see processes), which alone writes, judges and publishes."""
    with tempfile.TemporaryDirectory() as work:
        prepared = prepare(config, mounts, Path(work), report)
        from perennial_training.fitting.fitting import Fitting

        Fitting(config, prepared, output, report).train(0, termination)
    return {}


def _facts(config: Job, prepared: Prepared[Any], fitted: "Fitted", comparison: dict[str, Any] | None) -> dict[str, Any]:
    """All that the manifest says; card and result repeat it."""
    start = prepared.base
    return {
        "name": uri.parse(config.output.uri.rstrip("/")).path,
        "task": config.task,
        "createdAt": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "job": config.job.model_dump(),
        "parent": {"uri": start.uri, "digest": start.digest} if start else None,
        "data": {
            "digest": prepared.corpus.digest,
            "trainExamples": len(prepared.corpus.train),
            "validationExamples": len(prepared.corpus.validation),
            "trainTokens": prepared.train.tokens,
            "counts": prepared.corpus.counts,
        },
        "metrics": fitted.metrics,
        "initialMetrics": fitted.initial_metrics,
        "baseline": asdict(fitted.baseline),
        "trainingLoss": fitted.training_loss,
        "comparison": comparison,
        "steps": fitted.steps,
        "bestStep": fitted.best_step,
        "stoppedEarly": fitted.steps < config.training.hyperparameters.max_steps,
        "contextLength": prepared.context,
        "labels": prepared.labels,
        "config": config.document(),
        "madeWith": artifact.made_with(),
    }
