"""The corpus of a job: examples preprocessed in a fixed order, split by their content, and named by a digest."""

import hashlib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from perennial_artifact.exits import BAD_DATA, Failure
from perennial_training import examples, sources
from perennial_training.config import Data, Preprocessing
from perennial_training.sources import Say


@dataclass(frozen=True)
class Corpus:
    """What is learned from and what is held out; `digest` names both, with their order."""

    train: list[str]
    validation: list[str]
    digest: str


def load(data: Data, mounts: Path, downloads: Path, say: Say) -> Corpus:
    """Reads, preprocesses and splits what `data` names; raises exits.Failure where nothing could be learned."""

    def read(uris: list[str], part: str) -> list[str]:
        found: list[str] = []
        for number, source in enumerate(uris):
            folder = downloads / f"{part}-{number}"
            folder.mkdir(parents=True)
            found += examples.read(sources.fetch(source, mounts, folder, say), source, data.fields.text)
        return preprocess(found, data.preprocessing, lambda line: say(f"{part} data: {line}"))

    train = read([source.uri for source in data.train], "training")
    if data.validation.uri is not None:
        validation = read([data.validation.uri], "validation")
        train = _without(train, validation, say)
    else:
        assert data.validation.fraction is not None
        train, validation = split(train, data.validation.fraction)
    _refuse_empty(data, train, validation)
    say(f"{len(train):,} examples to learn from, {len(validation):,} held out")
    return Corpus(train, validation, digest(train, validation))


def preprocess(texts: Iterable[str], rules: Preprocessing, say: Say) -> list[str]:
    """Normalise, strip, drop what is empty or short, drop repetitions: in this order, each step counted aloud."""
    texts = list(texts)
    say(f"{len(texts):,} examples read")
    if rules.normalize_unicode is not None:
        texts = [unicodedata.normalize(rules.normalize_unicode, text) for text in texts]
    stripped = [text.strip() for text in texts]
    kept = [text for text in stripped if text and len(text) >= rules.min_characters]
    say(f"{len(stripped) - len(kept):,} are empty or shorter than {rules.min_characters} characters: left out")
    if not rules.deduplicate:
        return kept
    unique = list(dict.fromkeys(kept))
    say(f"{len(kept) - len(unique):,} are repetitions: left out")
    return unique


def split(texts: Iterable[str], fraction: float) -> tuple[list[str], list[str]]:
    """Train and validation. An example's own content decides, so it falls on the same side in every version."""
    train: list[str] = []
    validation: list[str] = []
    for text in texts:
        share = int.from_bytes(_hash(text)[:8], "big") / 2**64
        (validation if share < fraction else train).append(text)
    return train, validation


def digest(train: Iterable[str], validation: Iterable[str]) -> str:
    """Names exactly these examples in this order and split."""
    whole = hashlib.sha256()
    for part in (train, validation):
        for text in part:
            whole.update(_hash(text))
        whole.update(b"|")
    return f"sha256:{whole.hexdigest()}"


def _without(train: list[str], held_out: list[str], say: Say) -> list[str]:
    """What is judged on must not be learned."""
    secret = set(held_out)
    kept = [text for text in train if text not in secret]
    say(f"{len(train) - len(kept):,} training examples are in the validation data too: left out of the training")
    return kept


def _refuse_empty(data: Data, train: list[str], validation: list[str]) -> None:
    if not train and not validation:
        raise Failure(
            "EmptyCorpus",
            f"no text is left of {', '.join(source.uri for source in data.train)} after preprocessing "
            f"(minCharacters: {data.preprocessing.min_characters}); give data with text in it",
            BAD_DATA,
        )
    if not train:
        raise Failure("EmptyCorpus", f"all {len(validation)} examples are held out; give more data", BAD_DATA)
    if not validation:
        advice = "give more data or a larger fraction" if data.validation.uri is None else "give another file"
        raise Failure("EmptyValidation", f"nothing is held out of {len(train)} examples; {advice}", BAD_DATA)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
