"""Pairs of source and target as rows."""

from perennial_training.data.example import Example
from perennial_training.encoding.rows import Rows, encode_texts
from perennial_training.encoding.tokenizer import Vocabulary


def encode(examples: list[Example], vocabulary: Vocabulary, context: int) -> Rows:
    """{input_ids, attention_mask, labels: token ids of the target}."""
    sources = encode_texts([example.roles["source"] for example in examples], vocabulary, context)
    targets = encode_texts([example.roles["target"] for example in examples], vocabulary, context)
    pairs = zip(sources, targets, strict=True)
    return Rows([source | {"labels": target["input_ids"]} for source, target in pairs], examples)
