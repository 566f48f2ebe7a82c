"""Whether a classifier is as sure as it is right."""

import numpy as np

BINS = 10


def calibration(chances: np.ndarray, wanted: np.ndarray) -> dict[str, object]:
    """Of probabilities [examples × classes] and the right classes [examples], -1 for one that the model doesn't know.

    ece: expected calibration error (Guo et al. 2017, equation 3), the mean distance of confidence and accuracy over ten
    bins of equal width, weighted by their examples. brier: the mean squared distance from the one-hot truth (Brier
    1950). bins: {from, to, examples, confidence, accuracy} of each that isn't empty.
    """
    sure, right = chances.max(1), chances.argmax(1) == wanted
    places = np.minimum((sure * BINS).astype(int), BINS - 1)
    bins = []
    for place in range(BINS):
        inside = places == place
        if inside.any():
            found = {"from": place / BINS, "to": (place + 1) / BINS, "examples": int(inside.sum())}
            bins.append(found | {"confidence": float(sure[inside].mean()), "accuracy": float(right[inside].mean())})
    ece = sum(b["examples"] * abs(b["confidence"] - b["accuracy"]) for b in bins) / len(wanted)
    truth = np.arange(chances.shape[1]) == wanted[:, None]
    return {"ece": round(ece, 6), "brier": round(float(((chances - truth) ** 2).sum(1).mean()), 6), "bins": bins}
