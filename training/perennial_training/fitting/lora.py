"""Low-rank adaptation by peft: only thin matrices beside the weights are trained, and merged into them at the end."""

from pathlib import Path

from peft import LoraConfig, PeftModel, get_peft_model
from transformers import PreTrainedModel, set_seed

from perennial_contract.job import Lora


def wrap(model: PreTrainedModel, rules: Lora, task: str, seed: int) -> PeftModel:
    """The model with new matrices at all of its linear layers but the head; a new head is trained whole."""
    set_seed(seed)
    config = LoraConfig(
        task_type=task,
        r=rules.rank,
        lora_alpha=rules.alpha,  # type: ignore[arg-type]  # peft computes with floats as well
        lora_dropout=rules.dropout,
        target_modules="all-linear",
        exclude_modules=["qa_outputs"],  # the head of question answering, which peft knows but does not leave out
    )
    return get_peft_model(model, config)


def load(model: PreTrainedModel, folder: Path) -> PeftModel:
    """The model with the matrices saved in `folder`, ready to train on."""
    return PeftModel.from_pretrained(model, str(folder), is_trainable=True)


def merge(model: PreTrainedModel, adapter: Path, folder: Path, keep_adapter: bool, base: str) -> None:
    """Writes the whole model to `folder`; and the matrices alone to adapter/ in it if they are to be kept.

    `base` is the URI of the model that they adapt.
    """
    adapted = load(model, adapter)
    if keep_adapter:
        adapted.peft_config["default"].base_model_name_or_path = base
        adapted.save_pretrained(str(folder / "adapter"))
    merged = adapted.merge_and_unload()
    merged.config.use_cache = True
    merged.save_pretrained(folder)
