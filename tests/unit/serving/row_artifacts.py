"""Tiny artifacts of the tasks whose inputs are rows, made by the training package's own code, with random weights."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import perennial_networks
from perennial_contract import manifest
from perennial_training.config import Architecture, Task
from perennial_training.data.corpus import Corpus
from perennial_training.data.example import Example
from perennial_training.encoding import tokenizer
from perennial_training.encoding.rows import Rows
from perennial_training.fitting import architectures
from perennial_training.preparation import Prepared
from perennial_training.tasks import OBJECTIVES, objective
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


@dataclass(frozen=True)
class Kind:
    task: Task
    family: str = "transformer"
    context: int = CONTEXT


ROW_TASKS = {
    **{f"{family} classifier": Kind("sentiment-analysis", family) for family in ("transformer", "rnn", "cnn", "mlp")},
    "translation": Kind("translation"),
    "slow translation": Kind("translation", context=1500),
    "question answering": Kind("question-answering"),
}


def make_row_model(name: str, folder: Path) -> None:
    """An artifact as a training leaves it, but for what it has learned."""
    kind = ROW_TASKS[name]
    wanted = Architecture.model_validate(
        {
            "family": kind.family,
            "layers": 2,
            "hiddenSize": 32,
            "heads": 2,
            "contextLength": kind.context,
            "vocabularySize": 300,
            "dropout": 0.1,
        }
    )
    vocabulary = tokenizer.train(TEXTS, wanted, kind.task, lambda _: None)
    tokenizer.save(vocabulary, kind.task, kind.context, folder)
    labels = LABELS if kind.task == "sentiment-analysis" else None
    prepared = _prepared(vocabulary, folder, kind.context, labels, [])
    model = architectures.create(kind.task, OBJECTIVES[kind.task].auto, wanted, prepared, seed=1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 3  # so that different inputs have clearly different answers
        if name == "slow translation":
            model.final_logits_bias[0, vocabulary.end] = -1e9  # it never ends by itself
    model.save_pretrained(folder)
    manifest.write(folder, {"task": kind.task, "contextLength": kind.context})


def judge(name: str, folder: Path, examples: list[dict[str, str]]) -> tuple[Objective, Rows]:
    """What training thinks of examples: its objective, and the examples as that reads them."""
    kind = ROW_TASKS[name]
    found = [Example(roles) for roles in examples]
    vocabulary = tokenizer.load(folder)
    judging = objective(kind.task, _prepared(vocabulary, folder, kind.context, LABELS, found))
    return judging, judging.held_out()


def _prepared(
    vocabulary: tokenizer.Vocabulary, folder: Path, context: int, labels: list[str] | None, examples: list[Example]
) -> Prepared:
    corpus: Any = Corpus([], examples, "", {})
    return Prepared(corpus, vocabulary, folder, context, None, labels, None, None, "")
