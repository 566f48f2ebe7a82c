"""Texts and their labels as rows."""

from perennial_contract.exits import BAD_DATA, Failure
from perennial_training.data.example import Example
from perennial_training.encoding.rows import Rows, encode_texts
from perennial_training.encoding.tokenizer import Vocabulary

_MANY_LABELS = 100


def labels_of(examples: list[Example], known: list[str] | None) -> list[str]:
    """Classes in their order: those of the base model if it knows them all, else sorted. Raises exits.Failure."""
    names = sorted({example.roles["label"] for example in examples})
    if known is not None and set(names) <= set(known):
        return known
    if len(names) < 2:
        raise Failure("OneLabel", f"all examples have the label {names[0]!r}; give examples of two at least", BAD_DATA)
    if len(names) > _MANY_LABELS and 2 * len(names) > len(examples):
        raise Failure(
            "LabelsAreNoClasses",
            f"there are {len(names):,} different labels in {len(examples):,} examples, such as {names[0][:40]!r}; "
            "name the column with the class in data.fields.label",
            BAD_DATA,
        )
    return names


def encode(examples: list[Example], vocabulary: Vocabulary, context: int, labels: list[str]) -> Rows:
    """{input_ids, attention_mask, labels: number of the class}. An unknown label becomes -1."""
    numbers = {label: number for number, label in enumerate(labels)}
    inputs = encode_texts([example.roles["text"] for example in examples], vocabulary, context)
    rows = [row | {"labels": numbers.get(e.roles["label"], -1)} for row, e in zip(inputs, examples, strict=True)]
    return Rows(rows, examples)
