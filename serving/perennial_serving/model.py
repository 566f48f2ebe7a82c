"""Loads what `fetch` left: safetensors only, local files only, no code from the artifact."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

import perennial_networks
from perennial_artifact import exits, manifest
from perennial_artifact.exits import Failure
from perennial_networks import NetworkConfig
from perennial_serving.batch import Batch
from perennial_serving.uncached_batch import UncachedBatch

AnyBatch = Batch[Any] | UncachedBatch[Any]


@dataclass(frozen=True)
class LoadedModel:
    """A model that answers; `context_length` counts tokens, `end_tokens` end an answer, `created` is Unix time."""

    name: str
    version: str
    digest: str
    created: int
    model: PreTrainedModel = field(repr=False)
    tokenizer: PreTrainedTokenizerBase = field(repr=False)
    context_length: int
    vocabulary_size: int
    end_tokens: frozenset[int]

    @property
    def fingerprint(self) -> str:
        return f"v{self.version}-{self.digest.removeprefix('sha256:')[:12]}"

    def batch(self) -> AnyBatch:
        """An empty batch of a kind that this model can be decoded in."""
        return batch_of(self.model)

    def decode(self, tokens: list[int]) -> str:
        return self.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def load(folder: Path, name: str, version: str) -> LoadedModel:
    """Loads the artifact in `folder`, which `preflight.check` accepted, and tries it once. Raises Failure."""
    perennial_networks.register()
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model = _load_weights(folder)
    except Failure:
        raise
    except Exception as error:  # the loaders raise whatever the file at fault leads to
        raise _unreadable(folder, error) from error
    _try_out(model)
    return LoadedModel(
        name=name,
        version=version,
        digest=manifest.digest_of(folder),
        created=int((folder / manifest.NAME).stat().st_mtime),
        model=model,
        tokenizer=tokenizer,
        context_length=_context_length(model, tokenizer),
        vocabulary_size=model.get_input_embeddings().weight.shape[0],
        end_tokens=_end_tokens(model, tokenizer),
    )


def _unreadable(folder: Path, error: Exception) -> Failure:
    problem = f"can't be loaded: {error}"
    if "trust_remote_code" in str(error):
        problem = "needs code of its own, which is never run; use an architecture that transformers has"
    return Failure("ModelUnreadable", f"the model in {folder} {problem}", exits.BAD_DATA)


def _load_weights(folder: Path) -> PreTrainedModel:
    model, info = AutoModelForCausalLM.from_pretrained(
        folder,
        local_files_only=True,
        use_safetensors=True,
        trust_remote_code=False,
        dtype="auto",
        output_loading_info=True,
    )
    # transformers only warns and fills in random numbers.
    if wrong := sorted({*info["missing_keys"], *(key[0] for key in info["mismatched_keys"])}):
        message = f"model.safetensors lacks {len(wrong)} weights or has them in another shape, {wrong[0]} first"
        raise Failure("ModelUnreadable", message, exits.BAD_DATA)
    return model.eval().to("cuda" if torch.cuda.is_available() else "cpu")


def batch_of(model: PreTrainedModel) -> AnyBatch:
    return UncachedBatch(model) if isinstance(model.config, NetworkConfig) else Batch(model)


class _Trial:
    """A row for the try-out."""

    last = 0

    def __init__(self, length: int) -> None:
        self.prompt = [0] * length


@torch.inference_mode()
def _try_out(model: PreTrainedModel) -> None:
    """Joins, decodes and leaves once: the first request then finds a warm model of a kind that can batch."""
    first, second = _Trial(1), _Trial(2)
    batch = batch_of(model)
    try:
        batch.join([first])
        batch.join([second])
        logits = batch.advance()
        batch.leave([second])
    except Exception as error:  # whatever an unknown architecture makes of a plain KV cache
        kind = type(model).__name__
        message = f"{kind} can't be batched by this runtime ({error}); use another runtime"
        raise Failure("UnsupportedModel", message, exits.BAD_CONFIGURATION) from error
    if not logits.isfinite().all():
        message = "the model answers with numbers that are not finite; train it again"
        raise Failure("ModelUnreadable", message, exits.BAD_DATA)


def _context_length(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return min(positions, tokenizer.model_max_length) if positions else tokenizer.model_max_length


def _end_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    configured = model.generation_config.eos_token_id if model.generation_config else None
    found = configured if isinstance(configured, list) else [configured, tokenizer.eos_token_id]
    return frozenset(token for token in found if token is not None)
