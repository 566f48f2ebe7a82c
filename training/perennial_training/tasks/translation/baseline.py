"""The baseline of translation: a dictionary from the training pairs."""

from collections import Counter

import sacrebleu

from perennial_contract.result import Baseline
from perennial_training.data.example import Example
from perennial_training.encoding.rows import Rows
from perennial_training.prepared import Prepared
from perennial_training.tasks.objective import rounded

_PAIRS = 20_000


def word_by_word(prepared: Prepared[Rows]) -> Baseline:
    """Each word by the target word that it most faithfully occurs with in the training pairs."""
    words = dictionary(prepared.corpus.train)
    sources = (example.roles["source"].split() for example in prepared.corpus.validation)
    outputs = [" ".join(words.get(word, word) for word in source) for source in sources]
    references = [[example.roles["target"] for example in prepared.corpus.validation]]
    metrics = {
        "bleu": sacrebleu.corpus_bleu(outputs, references).score,
        "chrf": sacrebleu.corpus_chrf(outputs, references).score,
    }
    return Baseline(name="word by word", metrics={name: rounded(value) for name, value in metrics.items()})


def dictionary(pairs: list[Example]) -> dict[str, str]:
    """For each source word the target word of the highest Dice coefficient, 2 n(s, t) / (n(s) + n(t)) over pairs.

    Very many pairs are sampled evenly: a dictionary of all would take more memory than the training.
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
        candidate = (2 * count / (sources[one] + targets[other]), other)
        best[one] = max(best.get(one, candidate), candidate)
    return {word: translation for word, (_, translation) in best.items()}
