"""Small corpora that a tiny model learns in seconds, one for each task that learns from columns."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from perennial_contract import manifest

GOOD, BAD = ["good", "warm", "bright", "kind", "lovely"], ["bad", "cold", "dull", "cruel", "awful"]
DAYS = {"monday": "lundi", "friday": "vendredi", "sunday": "dimanche", "today": "aujourd'hui"}
PLACES = {"here": "ici", "there": "là-bas", "outside": "dehors", "everywhere": "partout"}
VERBS = {"rains": "pleut", "snows": "neige", "burns": "brûle", "freezes": "gèle"}


def reviews(count: int) -> Iterator[dict[str, object]]:
    dice = random.Random(1)
    for number in range(count):
        label = dice.choice(["positive", "negative"])
        words = dice.choices(GOOD if label == "positive" else BAD, k=3)
        yield {"text": f"the {words[0]} film {number} was {words[1]} and {words[2]}", "label": label}


def pairs(count: int) -> Iterator[dict[str, object]]:
    """The order of the words differs: to translate word by word is not enough."""
    dice = random.Random(2)
    for _ in range(count):
        (day, jour), (verb, verbe), (place, lieu) = (dice.choice([*words.items()]) for words in (DAYS, VERBS, PLACES))
        yield {"source": f"{day} it {verb} {place}", "target": f"{lieu} il {verbe} {jour}"}


def questions(count: int) -> Iterator[dict[str, object]]:
    dice = random.Random(3)
    for number in range(count):
        town, other = dice.sample(["Oslo", "Rome", "Lima", "Cairo", "Delhi"], 2)
        yield {
            "question": "where is the town hall ?",
            "context": f"note {number} : the museum is in {other} . the town hall is in {town} .",
            "answer": {"text": [town], "answer_start": [0]},
        }


ROWS = {"sentiment-analysis": reviews, "translation": pairs, "question-answering": questions}
COUNT = 240
# What learns them.
ARCHITECTURE = {"hiddenSize": 32, "contextLength": 48, "vocabularySize": 400, "dropout": 0.0}
HYPERPARAMETERS = {"maxSteps": 60, "batchSize": 16, "learningRate": 0.005}


def json_lines(task: str, count: int = COUNT, **changes) -> str:
    """The corpus of a task; `changes` are made to each of its rows."""
    return "\n".join(json.dumps(row | changes) for row in ROWS[task](count))


def give(pod, task: str, count: int = COUNT, **changes) -> None:
    """Makes the job of `pod` learn the task from its corpus; `changes` are made to each of its rows."""
    Path(pod.claims / "corpus" / "data.jsonl").write_text(json_lines(task, count, **changes))
    pod.job["task"] = task
    pod.job["data"] |= {"train": [{"uri": "pvc://corpus/data.jsonl"}], "fields": {}}
    pod.job["data"]["preprocessing"]["minCharacters"] = 1
    pod.job["model"]["architecture"] |= ARCHITECTURE
    pod.job["training"]["hyperparameters"] |= HYPERPARAMETERS
    pod.job["training"] |= {"evaluateEverySteps": 30, "checkpoints": {"everySteps": 30, "historyLimit": 2}}


def learned(pod) -> tuple[dict[str, Any], dict[str, Any]]:
    """The result and the facts of the artifact of a training that must succeed."""
    ended = pod.run()
    assert ended.code == 0, ended.output
    return ended.message, manifest.verify(pod.output, None)
