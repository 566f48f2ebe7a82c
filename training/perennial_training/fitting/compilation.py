"""Whether the model is compiled (hyperparameters.compile): faster steps after a slow first one."""

import torch
from transformers import PreTrainedModel

from perennial_contract.exits import BAD_CONFIGURATION, Failure, first_line
from perennial_contract.job import JobTraining
from perennial_contract.report import Report
from perennial_networks import NetworkConfig
from perennial_training.distributed import processes

# Floating-point operations of a run from which on Auto compiles: twice those at which the time saved equals the time
# taken on an H100 (docs/operations/performance-of-training.md). No clock decides, so that a run that goes on after an
# interruption computes as before.
WORTHWHILE = 4e16


def decide(
    training: JobTraining, model: PreTrainedModel, tokens_per_step: int, one_shape: bool, report: Report
) -> bool:
    """Whether to compile the model. `one_shape`: all batches have the same; each other one is compiled anew.

    Raises exits.Failure where it must be and can't.
    """
    wish = training.hyperparameters.compile
    tokens = training.hyperparameters.max_steps * tokens_per_step
    if wish == "Never" or (wish == "Auto" and not (one_shape and _pays(model, tokens))):
        return False
    if (hindrance := _hindrance()) is None:
        report("the first step compiles the model")
        return True
    if wish == "Always":
        raise Failure("NoCompiler", f"compile: Always, but torch.compile fails here: {hindrance}", BAD_CONFIGURATION)
    report(f"the model is not compiled, since torch.compile fails here: {hindrance}")
    return False


def _pays(model: PreTrainedModel, tokens: int) -> bool:
    """Several processes, the CPU and networks other than transformers gain too little, or were never measured."""
    if not torch.cuda.is_available() or processes.count() > 1 or isinstance(model.config, NetworkConfig):
        return False
    return 6 * model.num_parameters() * tokens >= WORTHWHILE  # 2 forward, 4 backward per weight (Kaplan et al. 2020)


def _hindrance() -> str | None:
    """What keeps torch.compile from working: tried, since it needs a C compiler, its headers and a folder to write."""
    try:
        torch.compile(torch.sin)(torch.ones(8, device=processes.device()))
    except Exception as error:  # of any kind, depending on what is missing
        return first_line(error)
    return None
