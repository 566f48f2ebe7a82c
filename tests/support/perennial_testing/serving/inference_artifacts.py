"""Tiny artifacts of the inference tasks, made by the training package's own code, with random weights."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import perennial_networks
from perennial_contract import manifest
from perennial_contract.job import Architecture, Task
from perennial_training.data.corpus import Corpus
from perennial_training.data.example import Example
from perennial_training.encoding import tokenizer
from perennial_training.encoding.rows import Rows
from perennial_training.prepared import Prepared
from perennial_training.tasks import TASKS, architectures
from perennial_training.tasks.objective import Objective

perennial_networks.register()
TEXTS = [
    "the kettle is superb, and it is not blue",
    "this book is worth every cent",
    "a mess",
    "L'éléphant est <|end|> gris, 3 × 3 = 9",
    "the printer is in Oslo and the lamp is in Rome; the garden is in Lima, and the chair is in Cairo",
]
LABELS = ["negative", "neutral", "positive"]
CONTEXT = 48
LONG = " . ".join(f"note {number} : the {TEXTS[number % 3]} is in Oslo" for number in range(12))
QUESTIONS = [
    {"question": "where is the lamp?", "context": TEXTS[4]},
    {"question": "where is the garden <|end|> ?", "context": LONG},
    {"question": "What?", "context": "Rome"},
    {"question": "who is grey", "context": "  L'éléphant\n est gris, 3 × 3 = 9, <|start|> 漢字 🦊 "},
]


@dataclass(frozen=True)
class InferenceArtifact:
    task: Task
    family: str = "transformer"
    context: int = CONTEXT


INFERENCE_ARTIFACTS = {
    **{
        f"{family} classifier": InferenceArtifact("sentiment-analysis", family)
        for family in ("transformer", "rnn", "cnn", "mlp")
    },
    "translation": InferenceArtifact("translation"),
    "slow translation": InferenceArtifact("translation", context=1500),
    "question answering": InferenceArtifact("question-answering"),
}
CLASSIFIERS = [name for name in INFERENCE_ARTIFACTS if name.endswith("classifier")]


def build(name: str, folder: Path) -> None:
    """An artifact as a training leaves it, without having learned anything."""
    artifact = INFERENCE_ARTIFACTS[name]
    architecture = Architecture.model_validate(
        {
            "family": artifact.family,
            "layers": 2,
            "hiddenSize": 32,
            "heads": 2,
            "contextLength": artifact.context,
            "vocabularySize": 300,
            "dropout": 0.1,
        }
    )
    layout = TASKS[artifact.task].layout
    vocabulary = tokenizer.train(TEXTS, architecture, layout, lambda _: None)
    tokenizer.save(vocabulary, layout, artifact.context, folder)
    labels = LABELS if artifact.task == "sentiment-analysis" else None
    prepared = _prepared(vocabulary, folder, artifact.context, labels, [])
    objective = TASKS[artifact.task].objective(prepared)
    configure = objective.families[artifact.family]
    model = architectures.create(objective.auto, configure, architecture, prepared, seed=1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 3  # so that different inputs have clearly different answers
        if name == "slow translation":
            model.final_logits_bias[0, vocabulary.end] = -1e9  # it never ends by itself
    model.save_pretrained(folder)
    manifest.write(folder, {"task": artifact.task, "contextLength": artifact.context})


def training_objective(name: str, folder: Path, examples: list[dict[str, str]]) -> tuple[Objective[Rows, Rows], Rows]:
    """The objective of the training, and the examples as it reads them."""
    artifact = INFERENCE_ARTIFACTS[name]
    vocabulary = tokenizer.load(folder)
    prepared = _prepared(vocabulary, folder, artifact.context, LABELS, [Example(roles) for roles in examples])
    objective = TASKS[artifact.task].objective(prepared)
    return objective, objective.held_out()


def _prepared(
    vocabulary: tokenizer.Vocabulary, folder: Path, context: int, labels: list[str] | None, examples: list[Example]
) -> Prepared[Rows]:
    corpus: Any = Corpus([], examples, "", {})
    return Prepared(corpus, vocabulary, folder, context, None, labels, Rows([], []), Rows([], []), "")
