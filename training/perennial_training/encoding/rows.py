"""Examples that stay apart: each a row of token ids, truncated to the context."""

from dataclasses import dataclass
from typing import Any

from perennial_training.data.example import Example
from perennial_training.encoding.tokenizer import Vocabulary

Row = dict[str, Any]


@dataclass(frozen=True)
class Rows:
    """rows: the model's inputs by their names in transformers; examples: their origin.

    places: for question answering, per row, the example's number and for each token its span (start, end) in the
    context, None for tokens outside of the context.
    """

    rows: list[Row]
    examples: list[Example]
    places: list[tuple[int, list[tuple[int, int] | None]]] | None = None

    @property
    def tokens(self) -> int:
        """Tokens of one pass: inputs and, for a translation, outputs."""
        return sum(map(tokens, self.rows))


def tokens(row: Row) -> int:
    """Of the input and, for a translation, the output."""
    written = row.get("labels")
    return len(row["input_ids"]) + (len(written) if isinstance(written, list) else 0)


def encode_texts(texts: list[str], vocabulary: Vocabulary, context: int) -> list[Row]:
    """{input_ids, attention_mask} of each text, truncated."""
    vocabulary.tokenizer.enable_truncation(context)
    encodings = vocabulary.tokenizer.encode_batch_fast(texts)
    vocabulary.tokenizer.no_truncation()
    return [{"input_ids": encoding.ids, "attention_mask": [1] * len(encoding.ids)} for encoding in encodings]
