"""Confusion, precision and recall by class, calibration, and the most confident mistakes."""

from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from perennial_training.data.example import Example
from perennial_training.tasks.samples import EXAMPLES, Sample, shortened
from perennial_training.tasks.sentiment_analysis.calibration import Floats, Integers, calibration


def classes(examples: list[Example], names: list[str], chances: Floats, labels: Integers) -> dict[str, Any]:
    """`chances`: probabilities [examples × classes]; `labels`: numbers of the right classes, -1 for an unknown one."""
    predicted = chances.argmax(1)
    return {
        "labels": names,
        "confusion": confusion_matrix(labels, predicted, labels=list(range(len(names)))).tolist(),
        "classes": _by_class(names, labels, predicted),
        "calibration": calibration(chances, labels),
        "samples": _mistakes(examples, names, chances, labels),
    }


def _by_class(names: list[str], labels: Integers, predicted: Integers) -> list[dict[str, Any]]:
    precision, recall, f1, examples = precision_recall_fscore_support(
        labels, predicted, labels=list(range(len(names))), zero_division=0
    )
    return [
        {
            "label": name,
            "precision": round(float(precision[number]), 4),
            "recall": round(float(recall[number]), 4),
            "f1": round(float(f1[number]), 4),
            "examples": int(examples[number]),
        }
        for number, name in enumerate(names)
    ]


def _mistakes(examples: list[Example], names: list[str], chances: Floats, labels: Integers) -> list[Sample]:
    predicted = chances.argmax(1)
    wrong = sorted(np.flatnonzero(predicted != labels).tolist(), key=lambda i: -chances[i].max())
    return [
        {
            "text": shortened(examples[i].roles["text"]),
            "model": names[predicted[i]],
            "label": examples[i].roles["label"],
            "confidence": round(float(chances[i].max()), 4),
        }
        for i in wrong[:EXAMPLES]
    ]
