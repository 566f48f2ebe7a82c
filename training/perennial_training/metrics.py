"""The metrics that models are judged by."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """What a person calls it, and which of two values is the better one."""

    title: str
    larger_is_better: bool = False


METRICS = {
    "loss": Metric("Loss (nats)"),
    "perplexity": Metric("Perplexity"),
    "bitsPerByte": Metric("Bits per byte"),
    "bleu": Metric("BLEU (0 to 100)", True),
    "chrf": Metric("chrF (0 to 100)", True),
    "accuracy": Metric("Accuracy", True),
    "macroF1": Metric("Macro-F1", True),
    "exactMatch": Metric("Exact match", True),
    "f1": Metric("F1", True),
}
