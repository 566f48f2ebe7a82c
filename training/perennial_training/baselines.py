"""What can be had without learning a network: for each task one naive rule, judged on the same held-out examples."""

import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import sacrebleu
from sklearn.metrics import accuracy_score, f1_score

from perennial_training.config import Task
from perennial_training.data.example import Example
from perennial_training.preparation import Prepared
from perennial_training.tasks.objective import Metrics, rounded
from perennial_training.tasks.question_answering import f1, normalized

_PAIRS = 20_000


@dataclass(frozen=True)
class Baseline:
    """The rule in a few words, and its metrics, which are among those of the task."""

    name: str
    metrics: Metrics


def baseline(task: Task, prepared: Prepared) -> Baseline:
    name, judge = _RULES[task]
    return Baseline(name, {metric: rounded(value) for metric, value in judge(prepared).items()})


def _unigram(prepared: Prepared) -> Metrics:
    """Each token as often as in the training data, one more of each (Laplace)."""
    counts = Counter(prepared.train.ids)
    total = len(prepared.train.ids) + prepared.vocabulary.size
    nats = sum(math.log(total / (counts[token] + 1)) for token in prepared.validation.ids[1:])
    loss = nats / prepared.validation.tokens
    return {
        "loss": loss,
        "perplexity": math.exp(loss),
        "bitsPerByte": nats / math.log(2) / prepared.validation.size,
    }


def _majority(prepared: Prepared) -> Metrics:
    """The label that most training texts have."""
    wanted = [example.roles["label"] for example in prepared.corpus.validation]
    ((label, _),) = Counter(example.roles["label"] for example in prepared.corpus.train).most_common(1)
    said = [label] * len(wanted)
    return {
        "accuracy": accuracy_score(wanted, said),
        "macroF1": f1_score(wanted, said, average="macro", zero_division=0),
    }


def _dictionary(prepared: Prepared) -> Metrics:
    """Each word by the one that keeps it company in the training pairs, of those that do the most faithful."""
    words = dictionary(prepared.corpus.train)
    sources = (example.roles["source"].split() for example in prepared.corpus.validation)
    said = [" ".join(words.get(word, word) for word in source) for source in sources]
    wanted = [[example.roles["target"] for example in prepared.corpus.validation]]
    return {
        "bleu": sacrebleu.corpus_bleu(said, wanted).score,
        "chrf": sacrebleu.corpus_chrf(said, wanted).score,
    }


def dictionary(pairs: list[Example]) -> dict[str, str]:
    """For each source word the target word of the highest Dice coefficient, 2 n(s, t) / (n(s) + n(t)) over pairs.

    Of very many pairs some that are evenly spread: a dictionary of all would take more memory than the training.
    """
    pairs = pairs[:: max(1, len(pairs) // _PAIRS)]
    sources: Counter[str] = Counter()
    targets: Counter[str] = Counter()
    both: Counter[tuple[str, str]] = Counter()
    for pair in pairs:
        source, target = set(pair.roles["source"].split()), set(pair.roles["target"].split())
        sources.update(source)
        targets.update(target)
        both.update((one, other) for one in source for other in target)
    best: dict[str, tuple[float, str]] = {}
    for (one, other), count in both.items():
        found = (2 * count / (sources[one] + targets[other]), other)
        best[one] = max(best.get(one, found), found)
    return {word: translation for word, (_, translation) in best.items()}


def _first_sentence(prepared: Prepared) -> Metrics:
    examples = prepared.corpus.validation
    pairs = [(first_sentence(example.roles["context"]), example.roles["answer"]) for example in examples]
    return {
        "exactMatch": sum(normalized(said) == normalized(right) for said, right in pairs) / len(pairs),
        "f1": sum(f1(said, right) for said, right in pairs) / len(pairs),
    }


def first_sentence(text: str) -> str:
    """Up to the first full stop, question or exclamation mark before a space."""
    return re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0]


_RULES: dict[Task, tuple[str, Callable[[Prepared], Metrics]]] = {
    "text-generation": ("tokens as often as in the training data", _unigram),
    "sentiment-analysis": ("always the most frequent label", _majority),
    "translation": ("word by word", _dictionary),
    "question-answering": ("the first sentence", _first_sentence),
}
