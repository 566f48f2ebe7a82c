"""What comes before torch is loaded: texts, tokenizer, tokens. Bad input fails here, within a second or two."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perennial_contract.report import Report
from perennial_training.checkpoints import checkpoints
from perennial_training.config import Config, Task
from perennial_training.data import corpus
from perennial_training.data.corpus import Corpus
from perennial_training.data.example import Example
from perennial_training.data.roles import ROLES
from perennial_training.encoding import rows, stream, tokenizer
from perennial_training.encoding.rows import Rows
from perennial_training.encoding.stream import Stream
from perennial_training.encoding.tokenizer import Vocabulary
from perennial_training.fitting import starting_model as base
from perennial_training.fitting.starting_model import Base


@dataclass(frozen=True)
class Prepared:
    """All that a training needs.

    tokenizer: a folder with its files; context: tokens; base: the model to start from, None for a new one;
    labels: the classes in their order, for a task that has them; train and validation: a Stream for text generation,
    else Rows; identity: a digest of configuration, data and base.
    """

    corpus: Corpus
    vocabulary: Vocabulary
    tokenizer: Path
    context: int
    base: Base | None
    labels: list[str] | None
    train: Any
    validation: Any
    identity: str


def prepare(config: Config, mounts: Path, work: Path, report: Report) -> Prepared:
    """Reads the data and turns it into tokens; raises exits.Failure where that can't be done."""
    with tempfile.TemporaryDirectory() as downloads:
        found = corpus.load(config.data, config.task, mounts, Path(downloads), report)
    start = base.fetch(config.model.pretrained, mounts, report) if config.model.pretrained else None
    identity = _digest(config.digest(), found.digest, (start and start.digest) or "")
    vocabulary, context = _vocabulary(config, found, start, work, identity, report)
    labels = rows.labels_of(found.train, start and known_labels(start.folder)) if ROLES[config.task].labels else None
    train = encode(config.task, found.train, vocabulary, context, labels)
    refuse_too_few(train, context, config.training.hyperparameters.batch_size)
    validation = encode(config.task, found.validation, vocabulary, context, labels)
    report(f"{train.tokens:,} tokens to learn from, {validation.tokens:,} held out")
    folder = start.folder if start else _saved(config.task, vocabulary, context, work / "tokenizer", identity)
    return Prepared(found, vocabulary, folder, context, start, labels, train, validation, identity)


def encode(
    task: Task, examples: list[Example], vocabulary: Vocabulary, context: int, labels: list[str] | None
) -> Stream | Rows:
    """Examples as the model of a task reads them."""
    match task:
        case "text-generation":
            return stream.encode(examples, vocabulary)
        case "translation":
            return rows.translation(examples, vocabulary, context)
        case "question-answering":
            return rows.question_answering(examples, vocabulary, context)
        case "sentiment-analysis":
            assert labels is not None
            return rows.classification(examples, vocabulary, context, labels)


def refuse_too_few(train: Stream | Rows, context: int, batch_size: int) -> None:
    if isinstance(train, Stream):
        stream.refuse_too_few(train, context, batch_size)
    else:
        rows.refuse_too_few(train, batch_size)


def known_labels(folder: Path) -> list[str] | None:
    """The classes of a saved classifier; None for a model that has none or only numbered ones."""
    found = json.loads((folder / "config.json").read_bytes()).get("id2label") or {}
    names = [found[number] for number in sorted(found, key=int)]
    return None if not names or names == [f"LABEL_{number}" for number in range(len(names))] else names


def _vocabulary(
    config: Config, found: Corpus, start: Base | None, work: Path, identity: str, report: Report
) -> tuple[Vocabulary, int]:
    """The base model's tokenizer, the one of this job's earlier pod, or a new one; and the tokens per context."""
    if start is not None:
        assert config.model.pretrained is not None
        return tokenizer.load(start.folder), base.context_length(start, config.model.pretrained.context_length)
    assert config.model.architecture is not None
    wanted = config.model.architecture
    if _is_saved(work / "tokenizer", identity):
        return tokenizer.load(work / "tokenizer"), wanted.context_length
    report(f"training a tokenizer of at most {wanted.vocabulary_size:,} tokens")
    return tokenizer.train(_prose(found.train, config.task), wanted, config.task, report), wanted.context_length


def _prose(examples: list[Example], task: Task) -> Iterator[str]:
    return (example.roles[role] for example in examples for role in ROLES[task].texts)


def _saved(task: Task, vocabulary: Vocabulary, context: int, folder: Path, identity: str) -> Path:
    if not _is_saved(folder, identity):
        shutil.rmtree(folder, ignore_errors=True)
        tokenizer.save(vocabulary, task, context, folder)
        checkpoints.seal(folder, {"identity": identity})
    return folder


def _is_saved(folder: Path, identity: str) -> bool:
    known = checkpoints.facts(folder)
    return known is not None and known["identity"] == identity


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
