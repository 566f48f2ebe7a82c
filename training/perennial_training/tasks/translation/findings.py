"""Translations of held-out texts."""

import sacrebleu

from perennial_training.data.example import Example
from perennial_training.tasks.samples import Sample, shortened, worst_and_best


def samples(examples: list[Example], translations: list[str]) -> list[Sample]:
    """The best and the worst by chrF."""
    samples: list[Sample] = []
    for example, translation in zip(examples, translations, strict=True):
        source, reference = example.roles["source"], example.roles["target"]
        chrf = sacrebleu.sentence_chrf(translation, [reference]).score
        texts = {"source": source, "model": translation, "reference": reference}
        samples.append({"chrf": round(chrf, 1)} | {name: shortened(text) for name, text in texts.items()})
    return worst_and_best(samples, "chrf")
