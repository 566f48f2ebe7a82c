"""What comes before torch is loaded: texts, tokenizer, tokens. Bad input fails here, within a second or two."""

import hashlib
import shutil
import tempfile
from array import array
from dataclasses import dataclass
from pathlib import Path

from perennial_training import base, checkpoints, tokens
from perennial_training.base import Base
from perennial_training.config import Config
from perennial_training.data import corpus
from perennial_training.data.corpus import Corpus, texts
from perennial_training.data.sources import Say
from perennial_training.tokens import Vocabulary


@dataclass(frozen=True)
class Prepared:
    """All that a training needs.

    tokenizer: a folder with its files; context: tokens; base: the model to start from, None for a new one;
    train_ids and validation_ids: uint32; identity: a digest of configuration, data and base.
    """

    corpus: Corpus
    vocabulary: Vocabulary
    tokenizer: Path
    context: int
    base: Base | None
    train_ids: array
    validation_ids: array
    identity: str


def prepare(config: Config, mounts: Path, work: Path, say: Say) -> Prepared:
    """Reads the data and turns it into tokens; raises exits.Failure where that can't be done."""
    with tempfile.TemporaryDirectory() as downloads:
        found = corpus.load(config.data, mounts, Path(downloads), say)
    start = base.fetch(config.model.pretrained, mounts, say) if config.model.pretrained else None
    identity = _digest(config.digest(), found.digest, (start and start.digest) or "")
    vocabulary, context = _vocabulary(config, found, start, work, identity, say)
    ids = vocabulary.encode(texts(found.train))
    tokens.refuse_too_few(len(ids), context, config.training.hyperparameters.batch_size)
    held_out = vocabulary.encode(texts(found.validation))
    say(f"{len(ids):,} tokens to learn from, {len(held_out):,} held out")
    folder = start.folder if start else _saved(vocabulary, context, work / "tokenizer", identity)
    return Prepared(found, vocabulary, folder, context, start, ids, held_out, identity)


def _vocabulary(
    config: Config, found: Corpus, start: Base | None, work: Path, identity: str, say: Say
) -> tuple[Vocabulary, int]:
    """The base model's tokenizer, the one of this job's earlier pod, or a new one; and the tokens per context."""
    if start is not None:
        assert config.model.pretrained is not None
        return tokens.load(start.folder), base.context_length(start, config.model.pretrained.context_length)
    assert config.model.architecture is not None
    wanted = config.model.architecture
    if _is_saved(work / "tokenizer", identity):
        return tokens.load(work / "tokenizer"), wanted.context_length
    say(f"training a tokenizer of at most {wanted.vocabulary_size:,} tokens")
    return tokens.train(texts(found.train), wanted.vocabulary_size, say), wanted.context_length


def _saved(vocabulary: Vocabulary, context: int, folder: Path, identity: str) -> Path:
    if not _is_saved(folder, identity):
        shutil.rmtree(folder, ignore_errors=True)
        tokens.save(vocabulary, context, folder)
        checkpoints.seal(folder, {"identity": identity})
    return folder


def _is_saved(folder: Path, identity: str) -> bool:
    known = checkpoints.facts(folder)
    return known is not None and known["identity"] == identity


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
