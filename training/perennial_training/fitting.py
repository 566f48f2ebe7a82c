"""From prepared data to the best weights: the part of a job that computes. Loads torch."""

from array import array
from dataclasses import dataclass
from pathlib import Path

import torch
import transformers
from transformers import PreTrainedModel, TrainerState

from perennial_artifact import cpus
from perennial_artifact.exits import TERMINATED, Failure
from perennial_training import checkpoints, evaluation, model, tokens, trainer
from perennial_training.checkpoints import Checkpoints
from perennial_training.config import Config
from perennial_training.data.corpus import texts
from perennial_training.data.sources import Say
from perennial_training.evaluation import HeldOut
from perennial_training.preparation import Prepared
from perennial_training.progress import Gauges, Progress
from perennial_training.publishing import Output
from perennial_training.termination import Termination

Metrics = dict[str, float]


@dataclass(frozen=True)
class Fitted:
    """The outcome: a folder with the best weights, and what was measured on the way."""

    weights: Path
    metrics: Metrics
    initial_metrics: Metrics
    steps: int
    best_step: int


def fit(
    config: Config, prepared: Prepared, output: Output, metrics_port: int, termination: Termination, say: Say
) -> Fitted:
    """Trains from the last whole checkpoint, or from the start, to the end. Raises exits.Failure."""
    torch.set_num_threads(cpus.allowed())
    transformers.utils.logging.disable_progress_bar()
    gauges = Gauges(metrics_port)
    kept = Checkpoints(output.work, prepared.identity, config.training.checkpoints.keep, output.mirror)
    last = kept.last(say)
    say(f"going on from {last.name}" if last else "starting from step 0")
    if last is not None and (checkpoints.facts(last) or {})["finished"]:
        state = trainer.last_state(last)
    else:
        state = _train(config, prepared, kept, last, gauges, termination, say)
    fitted = _outcome(state, kept)
    gauges.validation_loss.set(fitted.metrics["loss"])
    return fitted


def compare(folder: Path, context: int, prepared: Prepared) -> Metrics:
    """The metrics of another artifact on the same texts, with its own tokenizer and context.

    Its loss is per token of the candidate's tokenizer, so that both losses have the same denominator.
    """
    ids = tokens.load(folder).encode(texts(prepared.corpus.validation))
    return evaluation.metrics(model.load(folder), _held_out(prepared, ids, context))


def _train(
    config: Config,
    prepared: Prepared,
    kept: Checkpoints,
    last: Path | None,
    gauges: Gauges,
    termination: Termination,
    say: Say,
) -> TrainerState:
    training = config.training
    network = model.load(last) if last else _network(config, prepared)
    say(f"the model has {network.num_parameters():,} parameters; {torch.get_num_threads()} threads")
    runner = trainer.JudgedTrainer(
        model=network,
        args=trainer.arguments(training, kept.work, resumed=last is not None),
        train_dataset=trainer.Blocks(prepared.train_ids, prepared.context),
        eval_dataset=_held_out(prepared, prepared.validation_ids, prepared.context),
        callbacks=[
            trainer.Saving(kept, training.early_stopping, termination),
            Progress(gauges, training.hyperparameters.batch_size * prepared.context),
        ],
    )
    with termination.put_off():
        runner.train(resume_from_checkpoint=str(last) if last else None)
    if termination.requested:
        message = f"stopped by SIGTERM at step {runner.state.global_step}; a checkpoint was saved"
        raise Failure("Terminated", message, TERMINATED)
    return runner.state


def _network(config: Config, prepared: Prepared) -> PreTrainedModel:
    if prepared.base is not None:
        return model.load(prepared.base.folder)
    assert config.model.architecture is not None
    return model.create(config.model.architecture, prepared.vocabulary, config.training.hyperparameters.seed)


def _held_out(prepared: Prepared, ids: array, context: int) -> HeldOut:
    return HeldOut(
        ids=ids,
        context=context,
        tokens=len(prepared.validation_ids) - 1,
        size=sum(len(text.encode()) for text in texts(prepared.corpus.validation)),
    )


def _outcome(state: TrainerState, kept: Checkpoints) -> Fitted:
    judged = {int(entry["step"]): entry for entry in trainer.evaluations(state)}
    best = trainer.best_step(state)
    return Fitted(kept.best(best), _metrics(judged[best]), _metrics(judged[0]), state.global_step, best)


def _metrics(entry: dict[str, float]) -> Metrics:
    return {name: entry[f"eval_{name}"] for name in ("loss", "perplexity", "bitsPerByte")}
