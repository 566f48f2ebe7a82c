"""Calibration: whether the confidence of a classifier matches its accuracy."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Integers = NDArray[np.integer]
BINS = 10


def calibration(chances: Floats, labels: Integers) -> dict[str, object]:
    """From probabilities [examples × classes] and right classes [examples], -1 for one that the model doesn't know.

    ece: expected calibration error (Guo et al. 2017, equation 3), the mean distance of confidence and accuracy over ten
    bins of equal width, weighted by their examples. brier: the mean squared distance from the one-hot truth (Brier
    1950). bins: {from, to, examples, confidence, accuracy} of each that isn't empty.
    """
    confidence, correct = chances.max(1), chances.argmax(1) == labels
    places = np.minimum((confidence * BINS).astype(int), BINS - 1)
    bins = []
    for place in range(BINS):
        inside = places == place
        if inside.any():
            edges = {"from": place / BINS, "to": (place + 1) / BINS, "examples": int(inside.sum())}
            bins.append(
                edges | {"confidence": float(confidence[inside].mean()), "accuracy": float(correct[inside].mean())}
            )
    ece = sum(b["examples"] * abs(b["confidence"] - b["accuracy"]) for b in bins) / len(labels)
    truth = np.arange(chances.shape[1]) == labels[:, None]
    return {"ece": round(ece, 6), "brier": round(float(((chances - truth) ** 2).sum(1).mean()), 6), "bins": bins}
