"""The baseline of sentiment analysis: one label for all texts."""

from collections import Counter

from sklearn.metrics import accuracy_score, f1_score

from perennial_contract.result import Baseline
from perennial_training.encoding.rows import Rows
from perennial_training.prepared import Prepared
from perennial_training.tasks.objective import rounded


def majority(prepared: Prepared[Rows]) -> Baseline:
    """The most frequent label of the training texts."""
    labels = [example.roles["label"] for example in prepared.corpus.validation]
    ((label, _),) = Counter(example.roles["label"] for example in prepared.corpus.train).most_common(1)
    predicted = [label] * len(labels)
    metrics = {
        "accuracy": accuracy_score(labels, predicted),
        "macroF1": f1_score(labels, predicted, average="macro", zero_division=0),
    }
    return Baseline(
        name="always the most frequent label", metrics={name: rounded(value) for name, value in metrics.items()}
    )
