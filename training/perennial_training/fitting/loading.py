"""Saved models."""

from pathlib import Path
from typing import Any, cast

import torch
from transformers import PreTrainedModel

from perennial_contract.exits import BAD_DATA, Failure, first_line


def load(auto: Any, folder: Path, **options: Any) -> PreTrainedModel:
    """A saved model as float32: safetensors only, and no code from its folder. Raises exits.Failure."""
    try:
        model = auto.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, trust_remote_code=False, local_files_only=True, **options
        )
        return cast(PreTrainedModel, model)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = first_line(error)
        raise Failure("UnknownModel", f"the model in {folder} can't be loaded: {reason}", BAD_DATA) from None
