"""The classes of a classifier."""

from typing import cast

from transformers import PreTrainedModel


def label_names(model: PreTrainedModel) -> list[str]:
    """In the order of their numbers."""
    names = cast(dict[int, str], model.config.id2label)  # a file has strings as keys, a loaded configuration numbers
    return [names[number] for number in range(len(names))]
