"""Loads a fetched artifact: safetensors only, local files only, no code from the artifact."""

import json
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

import perennial_networks
from perennial_contract import exits, manifest
from perennial_contract.exits import Failure, first_line
from perennial_contract.facts import Facts
from perennial_serving.engine.task import LoadedModel, Task
from perennial_serving.tasks import TASKS


def load(folder: Path, name: str, version: str) -> Task:
    """Loads the artifact in `folder`, after `preflight.check`, and warms it up. Raises Failure."""
    perennial_networks.register()
    # For 16-bit numbers torch prefers cuDNN's attention on Hopper, which plans anew for each pair of rows and length,
    # that is at each token: 72 ms in place of 9 for a model of 135 M parameters.
    torch.backends.cuda.enable_cudnn_sdp(False)
    facts = Facts.of(json.loads((folder / manifest.NAME).read_bytes()))
    try:
        task = _load(folder, name, version, facts)
    except Failure:
        raise
    except Exception as error:  # the loaders raise anything, depending on the file at fault
        raise _unreadable(folder, error) from error
    _warm_up(task)
    return task


def _load(folder: Path, name: str, version: str, facts: Facts) -> Task:
    assert facts.task is not None, "preflight.check comes first"
    kind = TASKS[facts.task]
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    model = _load_weights(folder, kind.auto)
    trained = None if kind.reads_beyond_training else facts.context_length
    loaded = LoadedModel(
        name=name,
        version=version,
        digest=manifest.digest_of(folder),
        created=int((folder / manifest.NAME).stat().st_mtime),
        task=facts.task,
        model=model,
        tokenizer=tokenizer,
        context_length=_context_length(model, tokenizer, trained),
    )
    return kind(loaded, folder)


def _unreadable(folder: Path, error: Exception) -> Failure:
    reason = first_line(error)
    problem = f"can't be loaded: {reason}"
    if "trust_remote_code" in str(error):
        problem = "needs code of its own, which is never run; use an architecture of transformers"
    return Failure("ModelUnreadable", f"the model in {folder} {problem}", exits.BAD_DATA)


def _load_weights(folder: Path, auto: Any) -> PreTrainedModel:
    model, info = auto.from_pretrained(
        folder,
        local_files_only=True,
        use_safetensors=True,
        trust_remote_code=False,
        dtype="auto",
        output_loading_info=True,
    )
    # transformers only warns, and initializes such weights at random.
    if wrong := sorted({*info["missing_keys"], *(key[0] for key in info["mismatched_keys"])}):
        message = f"model.safetensors lacks {len(wrong)} weights, or has them in another shape; the first is {wrong[0]}"
        raise Failure("ModelUnreadable", message, exits.BAD_DATA)
    ready: PreTrainedModel = model.eval().to("cuda" if torch.cuda.is_available() else "cpu")
    return ready


@torch.inference_mode()
def _warm_up(task: Task) -> None:
    """One batch before the first request: proves that the model can batch, and that its numbers are finite."""
    try:
        logits = task.warm_up()
    except Exception as error:  # unknown architectures may raise anything for a batch
        kind = type(task.loaded.model).__name__
        message = f"{kind} can't be batched by this runtime ({error}); use another runtime"
        raise Failure("UnsupportedModel", message, exits.BAD_CONFIGURATION) from error
    if not logits.isfinite().all():
        message = "the model's outputs are not finite; train it again"
        raise Failure("ModelUnreadable", message, exits.BAD_DATA)


def _context_length(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, trained: int | None) -> int:
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return min(length for length in (positions, tokenizer.model_max_length, trained) if length)
