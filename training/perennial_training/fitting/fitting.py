"""From prepared data to the best weights: the part of a job that computes. Loads torch."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import PreTrainedModel, TrainerState

import perennial_networks
from perennial_contract import cpus
from perennial_contract.exits import BAD_CONFIGURATION, TERMINATED, Failure
from perennial_contract.report import Report
from perennial_training.baselines import Baseline, baseline
from perennial_training.checkpoints import checkpoints
from perennial_training.checkpoints.checkpoints import Checkpoints
from perennial_training.config import Config
from perennial_training.distributed import processes
from perennial_training.distributed.termination import Termination
from perennial_training.encoding import tokenizer
from perennial_training.fitting import architectures, batch_size, trainer
from perennial_training.output.output import Output
from perennial_training.preparation import Prepared, known_labels
from perennial_training.tasks import objective
from perennial_training.tasks.objective import Metrics, Objective, load, rounded
from perennial_training.telemetry.progress import Gauges, Progress
from perennial_training.telemetry.tracking import Tracking


@dataclass(frozen=True)
class Fitted:
    """The outcome: a folder with the best weights, and what was measured on the way.

    training_loss: of the best weights on examples that were learned from, without dropout; what the validation loss
    exceeds it by is what was learned by heart.
    """

    weights: Path
    metrics: Metrics
    initial_metrics: Metrics
    baseline: Baseline
    training_loss: float
    curve: list[dict[str, float]]
    steps: int
    best_step: int


class Fitting:
    """One training: what is learned, by which rules, and where its state is kept."""

    def __init__(self, config: Config, prepared: Prepared, output: Output, report: Report) -> None:
        torch.set_num_threads(cpus.allowed())
        transformers.utils.logging.disable_progress_bar()
        perennial_networks.register()
        processes.begin()
        self.config = config
        self.prepared = prepared
        self.output = output
        self.report = report
        self.objective: Objective = objective(config.task, prepared)
        self.kept = Checkpoints(output.work, prepared.identity, config.training.checkpoints.keep, output.mirror)
        self.held_out = self.objective.held_out()

    def fit(self, metrics_port: int, termination: Termination, tracking: Tracking | None) -> Fitted:
        """Trains to the end and judges what was learned. Raises exits.Failure."""
        return self._outcome(self.train(metrics_port, termination, tracking))

    def train(self, metrics_port: int, termination: Termination, tracking: Tracking | None = None) -> TrainerState:
        """Trains from the last whole checkpoint, or from the start, to the end. Raises exits.Failure."""
        gauges = Gauges(metrics_port)
        last = self._last()
        self.report(f"going on from {last.name}" if last else "starting from step 0")
        if last is not None and (checkpoints.facts(last) or {})["finished"]:
            return trainer.last_state(last)
        return self._train(last, gauges, termination, tracking)

    def _last(self) -> Path | None:
        """The checkpoint that all processes go on from: the leader chooses."""
        last = self.kept.last(self.report) if processes.leads() else None
        name = processes.shared(last and last.name)
        if processes.leads() or name is None:
            return last
        folder = self.kept.work / name
        if not folder.is_dir() and processes.leads_its_node():
            self.output.open()  # brings it from where it is kept, if it is kept elsewhere
        if not folder.is_dir():
            raise Failure(
                "CheckpointNotShared",
                f"{name} can't be read by every pod; with several nodes the claim must be ReadWriteMany, or use s3://",
                BAD_CONFIGURATION,
            )
        return folder

    def compare(self, folder: Path, context: int) -> Metrics:
        """The metrics of another artifact on the same examples, with its own tokenizer, context and labels."""
        own = {"vocabulary": tokenizer.load(folder), "tokenizer": folder, "context": context}
        labels = known_labels(folder) or self.prepared.labels
        other = objective(self.config.task, replace(self.prepared, **own, labels=labels))
        return other.assess(self._saved(folder), other.held_out())

    def explain(self, fitted: Fitted, facts: dict[str, Any]) -> None:
        """Leaves a report in the work folder, from where it is published."""
        from perennial_training import report as explanation

        self.report("explaining what was learned")
        model = self._saved(fitted.weights)
        report = explanation.explain(self.objective, model, self.held_out, facts, fitted.curve, self.report)
        explanation.write(report, self.output.work / "explanation")

    def _train(
        self, last: Path | None, gauges: Gauges, termination: Termination, tracking: Tracking | None
    ) -> TrainerState:
        training = self.config.training
        wanted = training.hyperparameters
        network = self._network(last)
        self.report(f"the model has {network.num_parameters():,} parameters; {torch.get_num_threads()} threads")
        collator = self.objective.collator(network)
        dataset = self.objective.dataset()
        share = wanted.batch_size // processes.count()
        micro = wanted.micro_batch_size or batch_size.find(network, dataset, collator, share, self.report)
        micro = processes.shared(micro)
        runner = trainer.JudgedTrainer(
            self.objective,
            model=network,
            args=trainer.arguments(training, self.kept.work, last is not None, micro, share // micro),
            train_dataset=dataset,
            eval_dataset=self.held_out,
            data_collator=collator,
            compute_loss_func=self._loss(),
            callbacks=[
                trainer.Saving(self.kept, self.prepared.tokenizer, training.early_stopping, termination),
                Progress(gauges, self.objective.tokens_per_step(wanted.batch_size), tracking),
            ],
        )
        try:
            with termination.put_off():
                runner.train(resume_from_checkpoint=str(last) if last else None)
        except Failure as failure:
            raise self._with_last_good(failure, runner.state) from None
        except torch.OutOfMemoryError:
            raise batch_size.out_of_memory(f"the GPU's memory is full with {micro} sequences at once") from None
        if termination.requested:
            message = f"stopped by SIGTERM at step {runner.state.global_step}; a checkpoint was saved"
            raise Failure("Terminated", message, TERMINATED)
        return runner.state

    def _with_last_good(self, failure: Failure, state: TrainerState) -> Failure:
        """A training that diverged says what another one can start from; an adapter alone is no model."""
        if failure.reason != "NonFiniteLoss" or self.config.model.tuning is not None or not processes.leads():
            return failure
        whole = self.kept.whole(self.report)
        good = next((folder for folder in whole if trainer.was_sound(state, checkpoints.step(folder))), None)
        if good is None:
            return failure
        place = f"{self.config.output.uri.rstrip('/')}.partial/{self.config.job.uid}/{good.name}"
        advice = f"the last good checkpoint stays, to start from with model.pretrained: {{uri: {place}}}"
        return Failure(failure.reason, f"{failure.message}; {advice}", failure.code)

    def _loss(self) -> Callable[..., torch.Tensor] | None:
        """None: the model's own."""
        smoothing = self.config.training.hyperparameters.label_smoothing
        if smoothing or self.objective.own_loss_is_of_a_part:
            return trainer.cross_entropy(smoothing, self.objective.shifted)
        return None

    def _network(self, last: Path | None) -> Any:
        """The model to go on with: from the checkpoint, the base or new."""
        tuning = self.config.model.tuning
        if tuning is None:
            return load(self.objective.auto, last) if last else self._start()
        from perennial_training.fitting import lora

        if last is not None:
            return lora.load(self._start(), last)
        return lora.wrap(self._start(), tuning.lora, self.objective.peft, self.config.training.hyperparameters.seed)

    def _start(self) -> PreTrainedModel:
        base, labels = self.prepared.base, self.prepared.labels
        seed = self.config.training.hyperparameters.seed
        if base is not None:
            transformers.set_seed(seed)  # of a head that the base doesn't have
            model = load(self.objective.auto, base.folder, **_names(labels))
            if labels and model.config.pad_token_id is None:  # by which a decoder finds where a text ends
                model.config.pad_token_id = self.prepared.vocabulary.end
            return model
        assert self.config.model.architecture is not None
        wanted = self.config.model.architecture
        return architectures.create(self.config.task, self.objective.auto, wanted, self.prepared, seed)

    def _saved(self, folder: Path) -> PreTrainedModel:
        """A model to judge, where it is computed fastest."""
        return load(self.objective.auto, folder).to(processes.device())

    def _outcome(self, state: TrainerState) -> Fitted:
        best = trainer.best_step(state)
        weights = self._whole(self.kept.best(best))
        model = self._saved(weights)
        learned = self.objective.measure(model, self.objective.learned())["loss"]
        metrics = self.objective.assess(model, self.held_out)
        judged = {int(entry["step"]): _metrics(entry) for entry in trainer.evaluations(state)}
        return Fitted(
            weights=weights,
            metrics=metrics | judged[best],
            initial_metrics=judged[0],
            baseline=baseline(self.config.task, self.prepared),
            training_loss=rounded(learned),
            curve=trainer.curve(state),
            steps=state.global_step,
            best_step=best,
        )

    def _whole(self, weights: Path) -> Path:
        """The weights as one model, where only an adapter was learned."""
        tuning = self.config.model.tuning
        if tuning is None:
            return weights
        from perennial_training.fitting import lora

        folder = self.kept.work / "merged"
        assert self.prepared.base is not None
        lora.merge(self._start(), weights, folder, tuning.lora.keep_adapter, self.prepared.base.uri)
        return folder


def _names(labels: list[str] | None) -> dict[str, Any]:
    """What a base model is told of the classes; a head for another number of them is left out."""
    if labels is None:
        return {}
    numbers = dict(enumerate(labels))
    return {
        "id2label": numbers,
        "label2id": {label: number for number, label in numbers.items()},
        "ignore_mismatched_sizes": True,
    }


def _metrics(entry: dict[str, float]) -> Metrics:
    return {name.removeprefix("eval_"): number for name, number in entry.items() if name.startswith("eval_")}
