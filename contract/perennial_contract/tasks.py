"""The built-in tasks: their metrics, the direction of each metric, their networks and the columns of their examples."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A metric of the held-out set: its title for people, and which of two values is the better one."""

    title: str
    larger_is_better: bool = False

    def improvement(self, value: float, reference: float) -> float:
        """How much better the value is than the reference; negative if it is worse."""
        return value - reference if self.larger_is_better else reference - value


METRICS: dict[str, Metric] = {
    "loss": Metric("Loss (nats)"),
    "perplexity": Metric("Perplexity"),
    "bitsPerByte": Metric("Bits per byte"),
    "bleu": Metric("BLEU (0 to 100)", larger_is_better=True),
    "chrf": Metric("chrF (0 to 100)", larger_is_better=True),
    "accuracy": Metric("Accuracy", larger_is_better=True),
    "macroF1": Metric("Macro-F1", larger_is_better=True),
    "exactMatch": Metric("Exact match", larger_is_better=True),
    "f1": Metric("F1", larger_is_better=True),
}


@dataclass(frozen=True)
class Task:
    """What a model is for.

    metrics: measured on the held-out set, the loss first. families: networks that it can be trained with from scratch;
    of the others the literature has no plain form. fields: the columns of an example.
    """

    name: str
    metrics: tuple[str, ...]
    families: tuple[str, ...]
    fields: tuple[str, ...]


FAMILIES = ("transformer", "rnn", "cnn", "mlp")

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task(
            name="text-generation",
            metrics=("loss", "perplexity", "bitsPerByte"),
            families=FAMILIES,
            fields=("text",),
        ),
        Task(
            name="translation",
            metrics=("loss", "perplexity", "bleu", "chrf"),
            families=("transformer",),
            fields=("source", "target"),
        ),
        Task(
            name="sentiment-analysis",
            metrics=("loss", "accuracy", "macroF1"),
            families=FAMILIES,
            fields=("text", "label"),
        ),
        Task(
            name="question-answering",
            metrics=("loss", "exactMatch", "f1"),
            families=("transformer",),
            fields=("question", "context", "answer"),
        ),
    )
}
