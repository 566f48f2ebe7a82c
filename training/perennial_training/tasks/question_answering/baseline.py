"""The baseline of question answering: the first sentence of the context."""

import re

from perennial_contract.result import Baseline
from perennial_training.encoding.rows import Rows
from perennial_training.prepared import Prepared
from perennial_training.tasks.objective import rounded
from perennial_training.tasks.question_answering.scores import f1, normalized


def first_sentences(prepared: Prepared[Rows]) -> Baseline:
    examples = prepared.corpus.validation
    pairs = [(first_sentence(example.roles["context"]), example.roles["answer"]) for example in examples]
    metrics = {
        "exactMatch": sum(normalized(answer) == normalized(right) for answer, right in pairs) / len(pairs),
        "f1": sum(f1(answer, right) for answer, right in pairs) / len(pairs),
    }
    return Baseline(name="the first sentence", metrics={name: rounded(value) for name, value in metrics.items()})


def first_sentence(text: str) -> str:
    """Up to the first full stop, question or exclamation mark before a space."""
    return re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0]
