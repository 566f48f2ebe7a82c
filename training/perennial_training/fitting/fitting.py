"""From prepared data to the best weights: the part of a job that computes. Loads torch."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
import transformers
from accelerate.utils.memory import clear_device_cache
from transformers import PreTrainedModel, TrainerState

import perennial_networks
from perennial_contract import cpus
from perennial_contract.exits import BAD_CONFIGURATION, STOPPED, TERMINATED, Failure
from perennial_contract.facts import TrainingFacts
from perennial_contract.job import Job
from perennial_contract.report import Report
from perennial_contract.result import Baseline, Metrics
from perennial_training.checkpoints import checkpoints
from perennial_training.checkpoints.checkpoints import Checkpoints
from perennial_training.distributed import processes
from perennial_training.distributed.termination import Termination
from perennial_training.encoding import tokenizer
from perennial_training.fitting import batch_size, compilation, trainer
from perennial_training.fitting.loading import load
from perennial_training.output.output import Output
from perennial_training.preparation import known_labels
from perennial_training.prepared import Prepared
from perennial_training.tasks import TASKS, architectures
from perennial_training.tasks.objective import Objective, rounded
from perennial_training.telemetry.progress import Gauges, Progress
from perennial_training.telemetry.tracking import Tracking


@dataclass(frozen=True)
class Fitted:
    """A folder with the best weights, and all measurements.

    training_loss: of the best weights on training examples, without dropout; the excess of the validation loss over it
    is overfitting.
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
    """One training: its data, its rules, and the place of its state."""

    def __init__(self, config: Job, prepared: Prepared[Any], output: Output, report: Report) -> None:
        torch.set_num_threads(cpus.allowed())
        transformers.utils.logging.disable_progress_bar()
        perennial_networks.register()
        processes.begin()
        self.config = config
        self.prepared = prepared
        self.output = output
        self.report = report
        self.task = TASKS[config.task]
        self.objective: Objective[Any, Any] = self.task.objective(prepared)
        self.kept = Checkpoints(
            output.work, prepared.identity, config.training.checkpoints.history_limit, output.mirror
        )
        self.held_out = self.objective.held_out()

    def fit(self, metrics_port: int, termination: Termination, tracking: Tracking | None) -> Fitted:
        """Trains to the end and evaluates the best weights. Raises exits.Failure."""
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
        """The checkpoint that all processes resume from: the leader chooses."""
        last = self.kept.last(self.report) if processes.leads() else None
        name = processes.shared(last and last.name)
        if processes.leads() or name is None:
            return last
        folder = self.kept.work / name
        if not folder.is_dir() and processes.leads_its_node():
            self.output.open()  # fetches it, where checkpoints are mirrored
        if not folder.is_dir():
            raise Failure(
                "CheckpointNotShared",
                f"{name} can't be read by every pod; with several nodes the claim must be ReadWriteMany, or use s3://",
                BAD_CONFIGURATION,
            )
        return folder

    def compare(self, folder: Path, context: int) -> Metrics:
        """The metrics of another artifact on the same examples, with its own tokenizer, context and labels."""
        other = self.task.objective(
            replace(
                self.prepared,
                vocabulary=tokenizer.load(folder),
                tokenizer=folder,
                context=context,
                labels=known_labels(folder) or self.prepared.labels,
            )
        )
        return other.assess(self._saved(folder), other.held_out())

    def explain(self, fitted: Fitted, facts: TrainingFacts) -> None:
        """Writes the report to the work folder, from where it is published."""
        from perennial_training import report as explanation

        self.report("explaining what was learned")
        model = self._saved(fitted.weights)
        report = explanation.explain(self.objective, model, self.held_out, facts, fitted.curve, self.report)
        explanation.write(report, self.output.work / "explanation")

    def _train(
        self, last: Path | None, gauges: Gauges, termination: Termination, tracking: Tracking | None
    ) -> TrainerState:
        training = self.config.training
        share = training.hyperparameters.batch_size // processes.count()
        micro = training.hyperparameters.micro_batch_size or self._part(share)
        network = self._network(last)
        self.report(f"the model has {network.num_parameters():,} parameters; {torch.get_num_threads()} threads")
        tokens = self.objective.tokens_per_step(training.hyperparameters.batch_size)
        compiled = compilation.decide(training, network, tokens, self.objective.one_shape, self.report)
        runner = self._runner(network, last is not None, micro, share // micro, compiled)
        saving = trainer.Saving(self.kept, self.prepared.tokenizer, training.early_stopping, termination)
        runner.add_callback(saving)
        runner.add_callback(Progress(gauges, tokens, tracking))
        try:
            with termination.put_off():
                runner.train(resume_from_checkpoint=str(last) if last else None)
        except Failure as failure:
            raise self._with_last_good(failure, runner.state) from None
        except torch.OutOfMemoryError:
            raise batch_size.out_of_memory(f"the GPU's memory is full with {micro} sequences at once") from None
        if termination.requested:
            message = f"stopped by SIGTERM at step {runner.state.global_step}; a checkpoint was saved"
            raise Failure(STOPPED, message, TERMINATED)
        return runner.state

    def _part(self, share: int) -> int:
        """How many of a process's sequences are computed at once: what the leader's GPU has memory for.

        On the CPU there is no trial, as the kernel kills a process that asks for too much. Nor with FSDP: its steps
        need all processes, and one that ran out of memory alone would leave the others waiting.
        """
        if not torch.cuda.is_available() or self.config.training.compute.sharding != "None":
            return share
        part = share
        if processes.leads():
            runner = self._runner(self._network(None), False, share, 1, compiled=False)
            part = batch_size.find(runner, self.objective.longest(share), self.report)
            del runner
            clear_device_cache(garbage_collection=True)
        return processes.shared(part)

    def _runner(self, network: Any, resumed: bool, micro: int, parts: int, compiled: bool) -> trainer.JudgedTrainer:
        return trainer.JudgedTrainer(
            self.objective,
            model=network,
            args=trainer.arguments(self.config.training, self.kept.work, resumed, micro, parts, compiled),
            train_dataset=self.objective.dataset(),
            eval_dataset=self.held_out,
            data_collator=self.objective.collator(network),
            compute_loss_func=self._loss(),
        )

    def _with_last_good(self, failure: Failure, state: TrainerState) -> Failure:
        """Names the last good checkpoint of a training that diverged; an adapter alone is no model."""
        if failure.reason != "NonFiniteLoss" or self.config.model.tuning is not None or not processes.leads():
            return failure
        whole = self.kept.whole(self.report)
        good = next((folder for folder in whole if self._has_learned(folder, state)), None)
        if good is None:
            return failure
        place = f"{self.config.output.uri.rstrip('/')}.partial/{self.config.job.uid}/{good.name}"
        advice = f"the last good checkpoint stays, to start from with model.pretrained: {{uri: {place}}}"
        return Failure(failure.reason, f"{failure.message}; {advice}", failure.code)

    def _has_learned(self, checkpoint: Path, state: TrainerState) -> bool:
        """Whether it knows the held-out examples better than the untrained model did."""
        held_out = self.objective.measure(self._saved(checkpoint), self.held_out)["loss"]
        return held_out < trainer.evaluations(state)[0]["eval_loss"]

    def _loss(self) -> Callable[..., torch.Tensor] | None:
        """None: the model's own."""
        smoothing = self.config.training.hyperparameters.label_smoothing
        if smoothing or self.objective.own_loss_is_of_a_part:
            return trainer.cross_entropy(smoothing, self.objective.shifted)
        return None

    def _network(self, last: Path | None) -> Any:
        """The model to train: from the checkpoint, from the base, or new."""
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
            transformers.set_seed(seed)  # for a head that the base lacks
            model = load(self.objective.auto, base.folder, **_names(labels))
            if labels and model.config.pad_token_id is None:  # by which a decoder finds where a text ends
                model.config.pad_token_id = self.prepared.vocabulary.end
            return model
        assert self.config.model.architecture is not None
        architecture = self.config.model.architecture
        configure = self.objective.families[architecture.family]
        return architectures.create(self.objective.auto, configure, architecture, self.prepared, seed)

    def _saved(self, folder: Path) -> PreTrainedModel:
        """A model to evaluate, on the fastest device."""
        model = load(self.objective.auto, folder)
        cast(torch.nn.Module, model).to(processes.device())
        return model

    def _outcome(self, state: TrainerState) -> Fitted:
        best = trainer.best_step(state)
        weights = self._whole(self.kept.best(best))
        model = self._saved(weights)
        training_loss = self.objective.measure(model, self.objective.learned())["loss"]
        metrics = self.objective.assess(model, self.held_out)
        judged = {int(entry["step"]): _metrics(entry) for entry in trainer.evaluations(state)}
        return Fitted(
            weights=weights,
            metrics=metrics | judged[best],
            initial_metrics=judged[0],
            baseline=self.objective.baseline(),
            training_loss=rounded(training_loss),
            curve=trainer.curve(state),
            steps=state.global_step,
            best_step=best,
        )

    def _whole(self, weights: Path) -> Path:
        """The weights as one model; an adapter is merged into its base."""
        tuning = self.config.model.tuning
        if tuning is None:
            return weights
        from perennial_training.fitting import lora

        folder = self.kept.work / "merged"
        assert self.prepared.base is not None
        lora.merge(self._start(), weights, folder, tuning.lora.keep_adapter, self.prepared.base.uri)
        return folder


def _names(labels: list[str] | None) -> dict[str, Any]:
    """Options that name the classes to a base model; a head for another number of them is dropped."""
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
