"""The training loop: transformers' Trainer, evaluated on the held-out examples, and safe to kill at any time."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from transformers import (
    PreTrainedModel,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from perennial_contract.exits import BAD_CONFIGURATION, Failure
from perennial_contract.job import EarlyStopping, JobTraining
from perennial_contract.result import Metrics
from perennial_training.checkpoints import checkpoints
from perennial_training.checkpoints.checkpoints import Checkpoints
from perennial_training.distributed import processes
from perennial_training.distributed.termination import Termination
from perennial_training.fitting import stopping
from perennial_training.output.artifact import copy_tokenizer
from perennial_training.tasks.objective import Examples, Objective

_SCHEDULES = {
    "constant": "constant_with_warmup",
    "inverseSqrt": "inverse_sqrt",
    "cosineWithRestarts": "cosine_with_restarts",
}
# Without these they would be cosine and linear by other names.
_OWN: dict[str, dict[str, Any]] = {"polynomial": {"power": 2.0}, "cosineWithRestarts": {"num_cycles": 4}}


class JudgedTrainer(Trainer):
    """A Trainer that evaluates as versions are compared: its `eval_dataset` holds the objective's held-out examples."""

    objective: Objective[Any, Any]
    train_dataset: Examples

    def __init__(self, objective: Objective[Any, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.objective = objective
        self.remove_callback(PrinterCallback)

    def evaluate(self, *args: Any, **kwargs: Any) -> Metrics:
        all_needed = self.is_fsdp_enabled  # each has only a part of the weights
        model = cast(PreTrainedModel, self.model)
        measured = self.objective.measure(model, self.eval_dataset) if processes.leads() or all_needed else {}
        measured = processes.shared(measured)
        metrics = {f"eval_{name}": number for name, number in measured.items()}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _get_train_sampler(self, train_dataset: Any = None) -> torch.utils.data.Sampler[int]:
        """Whole batches only: otherwise the last step of an epoch would take an incomplete one."""
        dataset: Examples = self.train_dataset if train_dataset is None else train_dataset
        batch = self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size
        return torch.utils.data.RandomSampler(dataset, num_samples=len(dataset) // batch * batch)

    def _load_from_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: the model came from that checkpoint by from_pretrained.

        The Trainer's own way leaves out weights whose names on disk differ from those in memory, as GPT-NeoX's
        output layer's do, and only warns of it.
        """


class Saving(TrainerCallback):
    """Keeps the best weights, seals each checkpoint, stops early or on SIGTERM (always with a checkpoint).

    A checkpoint gets the files of `tokenizer`, so that another training can start from it.
    """

    def __init__(
        self, kept: Checkpoints, tokenizer: Path, rule: EarlyStopping | None, termination: Termination
    ) -> None:
        self.kept = kept
        self.tokenizer = tokenizer
        self.rule = rule
        self.termination = termination

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        if processes.any_of(self.termination.requested):
            self.termination.requested = True
            control.should_save = control.should_training_stop = True

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: PreTrainedModel | None = None,
        **kwargs: object,
    ) -> None:
        assert model is not None
        if best_step(state) == state.global_step:
            self._keep_best(state.global_step, model)
        if self._stalled(state):
            control.should_save = control.should_training_stop = True

    def _keep_best(self, step: int, model: PreTrainedModel) -> None:
        weights = processes.whole_weights(model)
        if not processes.leads():
            return
        folder = self.kept.best(step)
        model.config.use_cache = True  # the Trainer turned it off; generation needs it
        model.save_pretrained(folder, state_dict=weights)
        model.config.use_cache = False
        checkpoints.seal(folder, {"step": step})
        self.kept.drop_weights(step)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object) -> None:
        finished = state.global_step >= state.max_steps or self._stalled(state)
        processes.wait_for_all()  # each has added its random state
        if processes.leads():
            copy_tokenizer(self.tokenizer, self.kept.folder(state.global_step))
            self.kept.seal(state.global_step, best_step(state), finished)

    def _stalled(self, state: TrainerState) -> bool:
        losses = [entry["eval_loss"] for entry in evaluations(state)]
        return self.rule is not None and stopping.has_stalled(losses, self.rule)


def evaluations(state: TrainerState) -> list[dict[str, float]]:
    """The results of `evaluate`, with their step, from the untrained model (step 0) on."""
    return [entry for entry in state.log_history if "eval_loss" in entry]


def curve(state: TrainerState) -> list[dict[str, float]]:
    """What was logged: of each step the training loss or the evaluation. A gradient that overflowed has no norm."""
    kept = ("step", "loss", "learning_rate", "grad_norm")
    return [
        {k: v for k, v in entry.items() if (k in kept or k.startswith("eval_")) and math.isfinite(v)}
        for entry in state.log_history
    ]


def best_step(state: TrainerState) -> int:
    """The step of the lowest loss; of equals the first."""
    return int(min(evaluations(state), key=lambda entry: entry["eval_loss"])["step"])


def cross_entropy(smoothing: float, shifted: bool) -> Callable[..., torch.Tensor]:
    """The mean over all labels of a batch, however many parts it has.

    `smoothing` is the share of the probability that is spread over all classes (Szegedy et al. 2016, section 7).
    """

    def loss(outputs: Any, labels: torch.Tensor, num_items_in_batch: Any = None) -> torch.Tensor:
        logits = outputs.logits.float()
        if shifted:
            logits, labels = logits[:, :-1], labels[:, 1:]
        total = torch.nn.functional.cross_entropy(
            logits.reshape(-1, logits.shape[-1]), labels.reshape(-1), reduction="sum", label_smoothing=smoothing
        )
        return total / (num_items_in_batch if num_items_in_batch is not None else (labels != -100).sum())

    return loss


def arguments(
    training: JobTraining, work: Path, resumed: bool, micro_batch: int, parts: int, compiled: bool
) -> TrainingArguments:
    """The job's rules by the Trainer's names. Logging is up to Progress.

    A step of the optimiser takes `parts` times `micro_batch` sequences in each process.
    """
    hyperparameters = training.hyperparameters
    if hyperparameters.precision == "float16" and not torch.cuda.is_available():
        raise Failure("NoGpu", "precision float16 needs a GPU; use bfloat16 or float32", BAD_CONFIGURATION)
    return TrainingArguments(
        output_dir=str(work),
        max_steps=hyperparameters.max_steps,
        per_device_train_batch_size=micro_batch,
        gradient_accumulation_steps=parts,
        activation_checkpointing=hyperparameters.gradient_checkpointing,
        bf16=hyperparameters.precision == "bfloat16",
        fp16=hyperparameters.precision == "float16",
        torch_compile=compiled,
        # FSDP2; a checkpoint holds the whole weights, so any number of processes can go on from it.
        fsdp=training.compute.sharding != "None",  # type: ignore[arg-type]  # since 5.23 a flag
        fsdp_config={"version": 2, "state_dict_type": "FULL_STATE_DICT"}
        if training.compute.sharding != "None"
        else None,
        use_cpu=not torch.cuda.is_available(),
        learning_rate=hyperparameters.learning_rate,
        lr_scheduler_type=_SCHEDULES.get(
            hyperparameters.learning_rate_schedule, hyperparameters.learning_rate_schedule
        ),
        lr_scheduler_kwargs=_OWN.get(hyperparameters.learning_rate_schedule),
        warmup_steps=hyperparameters.warmup_steps,
        weight_decay=hyperparameters.weight_decay,
        max_grad_norm=hyperparameters.max_gradient_norm,
        optim="adamw_torch_fused",
        seed=hyperparameters.seed,
        data_seed=hyperparameters.seed,
        dataloader_drop_last=True,
        eval_strategy="steps",
        eval_steps=training.evaluate_every_steps,
        eval_on_start=not resumed,
        save_strategy="steps",
        save_steps=training.checkpoints.every_steps,
        logging_strategy="no",
        dataloader_pin_memory=torch.cuda.is_available(),
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        report_to="none",
    )


def last_state(checkpoint: Path) -> TrainerState:
    state: TrainerState = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
    return state
