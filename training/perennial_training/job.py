"""A training job from its configuration to its result."""

import json
import os
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perennial_contract import uri
from perennial_contract.exits import CONSEQUENCES, Failure, first_line
from perennial_contract.facts import Parent, TrainingFacts
from perennial_contract.job import Job, VersionArtifact
from perennial_contract.report import Report
from perennial_contract.result import Comparison, DataFacts, ResultMessage
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
    from perennial_training.fitting.fitting import Fitted, Fitting


def run(config: Job, mounts: Path, metrics_port: int, termination: Termination, report: Report) -> ResultMessage | None:
    """Prepares, trains, compares, publishes; returns the result. Raises exits.Failure.

    None where another process leads. A job that is already done gives its result again.
    """
    output = output_of(config, mounts, report)
    if done := output.finished():
        report(f"{config.output.uri} already holds the artifact of this job")
        return done
    if not launch.leads(os.environ):
        _follow(config, mounts, output, termination, report)
        return None
    output.open()
    prepared = prepare(config, mounts, output.work, report)

    # torch takes seconds to load: not before the input proved good.
    from perennial_training.fitting.fitting import Fitting

    with tracking.tracked(config, report) as run:
        fitting = Fitting(config, prepared, output, report)
        fitted = fitting.fit(metrics_port, termination, run)
        comparison = _compare(config.compare_with, fitting, mounts, report) if config.compare_with else None
        facts = _facts(config, prepared, fitted, comparison)
        fitting.explain(fitted, facts)
        report(f"writing the artifact to {config.output.uri}")
        with tempfile.TemporaryDirectory() as reports:
            if run is not None:
                _write_reports(facts, output.work / "explanation", Path(reports))
            result = output.publish(fitted.weights, prepared.tokenizer, facts)
            if run is not None:
                result = result.model_copy(update={"tracking": run.end("FINISHED", result, Path(reports))})
        return result


def _compare(served: VersionArtifact, fitting: "Fitting", mounts: Path, report: Report) -> Comparison:
    """The served version on the same texts. What is wrong with it must not cost the training, whatever it is."""
    report(f"judging the served version {served.version} on the same texts")
    try:
        folder, context = starting_model.served(served, mounts, report)
        return Comparison(version=served.version, metrics=fitting.compare(folder, context))
    except Exception as error:
        if isinstance(error, Failure) and error.code in CONSEQUENCES:  # this pod is stopped, whatever it was doing
            raise
        message = first_line(error)
        report(f"the served version {served.version} can't be judged: {type(error).__name__}: {message}")
        return Comparison(version=served.version, message=message)


def _write_reports(facts: TrainingFacts, explanation: Path, folder: Path) -> None:
    """What the tracking server gets of the artifact: all but the weights."""
    (folder / "README.md").write_text(card(facts))
    (folder / "perennial.json").write_text(json.dumps(facts.document(), indent=1))
    shutil.copytree(explanation, folder / "explanation")


def _follow(config: Job, mounts: Path, output: Output, termination: Termination, report: Report) -> None:
    """Trains along with the process that leads (see processes), which alone writes, judges and publishes."""
    with tempfile.TemporaryDirectory() as work:
        prepared = prepare(config, mounts, Path(work), report)
        from perennial_training.fitting.fitting import Fitting

        Fitting(config, prepared, output, report).train(0, termination)


def _facts(config: Job, prepared: Prepared[Any], fitted: "Fitted", comparison: Comparison | None) -> TrainingFacts:
    """All that the manifest says; card and result repeat it."""
    start = prepared.base
    return TrainingFacts(
        name=uri.parse(config.output.uri.rstrip("/")).path,
        task=config.task,
        created_at=datetime.now(UTC).replace(microsecond=0),
        job=config.job,
        parent=Parent(uri=start.uri, digest=start.digest) if start else None,
        data=DataFacts(
            digest=prepared.corpus.digest,
            train_examples=len(prepared.corpus.train),
            validation_examples=len(prepared.corpus.validation),
            train_tokens=prepared.train.tokens,
            counts=prepared.corpus.counts,
        ),
        metrics=fitted.metrics,
        initial_metrics=fitted.initial_metrics,
        baseline=fitted.baseline,
        training_loss=fitted.training_loss,
        comparison=comparison,
        steps=fitted.steps,
        best_step=fitted.best_step,
        stopped_early=fitted.steps < config.training.hyperparameters.max_steps,
        context_length=prepared.context,
        labels=prepared.labels,
        config=config,
        made_with=artifact.made_with(),
    )
