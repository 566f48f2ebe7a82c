"""The steps before torch is loaded: texts, tokenizer, tokens. Bad input fails here, within a second or two."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from perennial_contract.job import Job
from perennial_contract.report import Report
from perennial_training import starting_model
from perennial_training.checkpoints import checkpoints
from perennial_training.data import corpus
from perennial_training.data.corpus import Corpus
from perennial_training.data.example import Example
from perennial_training.data.roles import Roles
from perennial_training.encoding import tokenizer
from perennial_training.encoding.tokenizer import Layout, Vocabulary
from perennial_training.prepared import Prepared
from perennial_training.starting_model import Base
from perennial_training.tasks import TASKS


def prepare(config: Job, mounts: Path, work: Path, report: Report) -> Prepared[Any]:
    """Reads the data and encodes it. Raises exits.Failure."""
    task = TASKS[config.task]
    with tempfile.TemporaryDirectory() as downloads:
        data = corpus.load(config.data, task.roles, mounts, Path(downloads), report)
    base = starting_model.fetch(config.model.pretrained, mounts, report) if config.model.pretrained else None
    identity = _digest(config.digest(), data.digest, (base.digest if base else None) or "")
    vocabulary, context = _vocabulary(config, data, base, work, identity, report)
    labels = task.labels(data.train, known_labels(base.folder) if base else None)
    train = task.encode(data.train, vocabulary, context, labels)
    task.refuse_too_few(train, context, config.training.hyperparameters.batch_size)
    validation = task.encode(data.validation, vocabulary, context, labels)
    report(f"{train.tokens:,} tokens to learn from, {validation.tokens:,} held out")
    folder = base.folder if base else _saved(task.layout, vocabulary, context, work / "tokenizer", identity)
    return Prepared(data, vocabulary, folder, context, base, labels, train, validation, identity)


def known_labels(folder: Path) -> list[str] | None:
    """The classes of a saved classifier; None for a model with none or only numbered ones."""
    by_number = json.loads((folder / "config.json").read_bytes()).get("id2label") or {}
    names = [by_number[number] for number in sorted(by_number, key=int)]
    return None if not names or names == [f"LABEL_{number}" for number in range(len(names))] else names


def _vocabulary(
    config: Job, data: Corpus, base: Base | None, work: Path, identity: str, report: Report
) -> tuple[Vocabulary, int]:
    """The base model's tokenizer, the one of this job's earlier pod, or a new one; and the tokens per context."""
    if base is not None:
        assert config.model.pretrained is not None
        return tokenizer.load(base.folder), starting_model.context_length(base, config.model.pretrained.context_length)
    task = TASKS[config.task]
    assert config.model.architecture is not None
    architecture = config.model.architecture
    if _is_saved(work / "tokenizer", identity):
        return tokenizer.load(work / "tokenizer"), architecture.context_length
    report(f"training a tokenizer of at most {architecture.vocabulary_size:,} tokens")
    return tokenizer.train(
        _texts(data.train, task.roles), architecture, task.layout, report
    ), architecture.context_length


def _texts(examples: list[Example], roles: Roles) -> Iterator[str]:
    return (example.roles[role] for example in examples for role in roles.texts)


def _saved(layout: Layout, vocabulary: Vocabulary, context: int, folder: Path, identity: str) -> Path:
    if not _is_saved(folder, identity):
        shutil.rmtree(folder, ignore_errors=True)
        tokenizer.save(vocabulary, layout, context, folder)
        checkpoints.seal(folder, {"identity": identity})
    return folder


def _is_saved(folder: Path, identity: str) -> bool:
    known = checkpoints.facts(folder)
    return known is not None and known["identity"] == identity


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
