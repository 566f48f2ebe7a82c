"""The tasks whose examples stay apart: each a row of token ids, cut where it is longer than the context."""

from dataclasses import dataclass
from typing import Any

from perennial_contract.exits import BAD_DATA, Failure
from perennial_training.data.example import Example
from perennial_training.encoding.tokenizer import Vocabulary

_MANY_LABELS = 100
_ANSWER_SHARE = 4  # windows of a long context overlap by a quarter, so that an answer is whole in one of them

Row = dict[str, Any]


@dataclass(frozen=True)
class Rows:
    """rows: the model's inputs by their names in transformers; examples: what they were made of.

    places: for question answering, per row, the example's number and for each token its span (start, end) in the
    context, None for tokens that are none of the context.
    """

    rows: list[Row]
    examples: list[Example]
    places: list[tuple[int, list[tuple[int, int] | None]]] | None = None

    @property
    def tokens(self) -> int:
        """Tokens learned from in one pass: what is read and, for a translation, what is written."""
        written = (row["labels"] for row in self.rows if isinstance(row.get("labels"), list))
        return sum(len(row["input_ids"]) for row in self.rows) + sum(map(len, written))


def labels_of(examples: list[Example], known: list[str] | None) -> list[str]:
    """The classes in their order: the base model's own if they are the same, else by name. Raises exits.Failure."""
    found = sorted({example.roles["label"] for example in examples})
    if known is not None and set(found) <= set(known):
        return known
    if len(found) < 2:
        raise Failure("OneLabel", f"all examples have the label {found[0]!r}; give examples of two at least", BAD_DATA)
    if len(found) > _MANY_LABELS and 2 * len(found) > len(examples):
        raise Failure(
            "LabelsAreNoClasses",
            f"there are {len(found):,} different labels in {len(examples):,} examples, such as {found[0][:40]!r}; "
            "name the column with the class in data.fields.label",
            BAD_DATA,
        )
    return found


def classification(examples: list[Example], vocabulary: Vocabulary, context: int, labels: list[str]) -> Rows:
    """{input_ids, attention_mask, labels: number of the class}. A label that is none of `labels` becomes -1."""
    numbers = {label: number for number, label in enumerate(labels)}
    found = _encode([example.roles["text"] for example in examples], vocabulary, context)
    rows = [row | {"labels": numbers.get(e.roles["label"], -1)} for row, e in zip(found, examples, strict=True)]
    return Rows(rows, examples)


def translation(examples: list[Example], vocabulary: Vocabulary, context: int) -> Rows:
    """{input_ids, attention_mask, labels: token ids of the target}."""
    sources = _encode([example.roles["source"] for example in examples], vocabulary, context)
    targets = _encode([example.roles["target"] for example in examples], vocabulary, context)
    pairs = zip(sources, targets, strict=True)
    return Rows([source | {"labels": target["input_ids"]} for source, target in pairs], examples)


def question_answering(examples: list[Example], vocabulary: Vocabulary, context: int) -> Rows:
    """{input_ids, token_type_ids, attention_mask, start_positions, end_positions}, a row per window of the context.

    Where the answer isn't whole in a window both positions are 0, the token before the question (Devlin et al. 2019).
    """
    tokenizer = vocabulary.tokenizer
    longest = max(1, context // 2)
    tokenizer.enable_truncation(context, stride=context // _ANSWER_SHARE, strategy="only_second")
    rows, places = [], []
    for number, example in enumerate(examples):
        question = _cut(example.roles["question"], vocabulary, longest)
        tokenizer.enable_truncation(context, stride=context // _ANSWER_SHARE, strategy="only_second")
        whole = tokenizer.encode(question, example.roles["context"])
        for window in (whole, *whole.overflowing):
            spans = [span if of == 1 else None for span, of in zip(window.offsets, window.sequence_ids, strict=True)]
            start, end = _span(spans, example)
            rows.append(
                {
                    "input_ids": window.ids,
                    "token_type_ids": window.type_ids,
                    "attention_mask": [1] * len(window.ids),
                    "start_positions": start,
                    "end_positions": end,
                }
            )
            places.append((number, spans))
    tokenizer.no_truncation()
    return Rows(rows, examples, places)


def refuse_too_few(rows: Rows, batch_size: int) -> None:
    if len(rows.rows) < batch_size:
        raise Failure(
            "CorpusTooSmall",
            f"the training data has {len(rows.rows):,} examples, and one batch needs {batch_size:,}; "
            "give more data or a smaller batchSize",
            BAD_DATA,
        )


def _encode(texts: list[str], vocabulary: Vocabulary, context: int) -> list[Row]:
    vocabulary.tokenizer.enable_truncation(context)
    found = vocabulary.tokenizer.encode_batch_fast(texts)
    vocabulary.tokenizer.no_truncation()
    return [{"input_ids": encoding.ids, "attention_mask": [1] * len(encoding.ids)} for encoding in found]


def _cut(text: str, vocabulary: Vocabulary, tokens: int) -> str:
    """A question that leaves room for the context."""
    vocabulary.tokenizer.no_truncation()
    found = vocabulary.tokenizer.encode(text, add_special_tokens=False)
    return text if len(found.ids) <= tokens else text[: found.offsets[tokens - 1][1]]


def _span(spans: list[tuple[int, int] | None], example: Example) -> tuple[int, int]:
    """The first and last token of the answer."""
    first = example.roles["context"].index(example.roles["answer"])
    last = first + len(example.roles["answer"])
    inside = [place for place, span in enumerate(spans) if span and span[0] < last and span[1] > first]
    whole = inside and spans[inside[0]][0] <= first and spans[inside[-1]][1] >= last  # type: ignore[index]
    return (inside[0], inside[-1]) if whole else (0, 0)
