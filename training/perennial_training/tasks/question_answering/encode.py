"""Questions and contexts as rows, a row per window of the context."""

from perennial_training.data.example import Example
from perennial_training.encoding.rows import Rows
from perennial_training.encoding.tokenizer import Vocabulary

_OVERLAP = 4  # windows of a long context overlap by a quarter, so that an answer is whole in one of them


def encode(examples: list[Example], vocabulary: Vocabulary, context: int) -> Rows:
    """{input_ids, token_type_ids, attention_mask, start_positions, end_positions}, a row per window of the context.

    In a window without the whole answer both positions are 0, the token before the question (Devlin et al. 2019).
    """
    tokenizer = vocabulary.tokenizer
    longest = max(1, context // 2)
    tokenizer.enable_truncation(context, stride=context // _OVERLAP, strategy="only_second")
    rows, places = [], []
    for number, example in enumerate(examples):
        question = _cut(example.roles["question"], vocabulary, longest)
        tokenizer.enable_truncation(context, stride=context // _OVERLAP, strategy="only_second")
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


def _cut(text: str, vocabulary: Vocabulary, tokens: int) -> str:
    """The question, short enough to leave room for the context."""
    vocabulary.tokenizer.no_truncation()
    encoding = vocabulary.tokenizer.encode(text, add_special_tokens=False)
    return text if len(encoding.ids) <= tokens else text[: encoding.offsets[tokens - 1][1]]


def _span(spans: list[tuple[int, int] | None], example: Example) -> tuple[int, int]:
    """The first and last token of the answer."""
    first = example.roles["context"].index(example.roles["answer"])
    last = first + len(example.roles["answer"])
    inside = [place for place, span in enumerate(spans) if span and span[0] < last and span[1] > first]
    whole = inside and spans[inside[0]][0] <= first and spans[inside[-1]][1] >= last  # type: ignore[index]
    return (inside[0], inside[-1]) if whole else (0, 0)
