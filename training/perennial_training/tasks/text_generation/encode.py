"""All texts as one stream of tokens, so that no place in a batch is wasted (packing)."""

from array import array
from dataclasses import dataclass

from perennial_contract.exits import BAD_DATA, Failure
from perennial_training.data.corpus import texts
from perennial_training.data.example import Example
from perennial_training.encoding.tokenizer import Vocabulary

_BATCH = 1000  # texts encoded at a time


@dataclass(frozen=True)
class Stream:
    """end, text, end, text, …, end (uint32); size: bytes of the texts as UTF-8."""

    ids: "array[int]"
    size: int

    @property
    def tokens(self) -> int:
        """Predicted tokens: all but the first."""
        return len(self.ids) - 1


def encode(examples: list[Example], vocabulary: Vocabulary) -> Stream:
    contents = texts(examples)
    ids = array("I", [vocabulary.end])
    for start in range(0, len(contents), _BATCH):
        batch = contents[start : start + _BATCH]
        for encoding in vocabulary.tokenizer.encode_batch_fast(batch, add_special_tokens=False):
            ids.extend(encoding.ids)
            ids.append(vocabulary.end)
    return Stream(ids, sum(len(text.encode()) for text in contents))


def refuse_too_few(stream: Stream, context_length: int, batch_size: int) -> None:
    """The training texts must fill one context and one batch; exits.Failure says how much they hold."""
    tokens = len(stream.ids)
    if tokens < context_length:
        raise Failure(
            "ContextLongerThanData",
            f"the training data has {tokens:,} tokens, and one context needs {context_length:,}; "
            "give more data or a smaller contextLength",
            BAD_DATA,
        )
    if tokens < context_length * batch_size:
        raise Failure(
            "CorpusTooSmall",
            f"the training data has {tokens:,} tokens, and one batch needs {context_length * batch_size:,} "
            f"({batch_size} contexts of {context_length}); give more data or a smaller batchSize",
            BAD_DATA,
        )
