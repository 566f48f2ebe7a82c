"""The corpus of a job: examples preprocessed, split by their content, and named by a digest."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from perennial_contract.exits import BAD_DATA, Failure
from perennial_contract.job import Data, DataSource, Validation
from perennial_contract.report import Report
from perennial_training.data import formats, sources
from perennial_training.data.augmentation import augment
from perennial_training.data.example import Example, share
from perennial_training.data.preprocessing import Counts, preprocess
from perennial_training.data.roles import Roles

_MEANINGS = {
    "read": "examples read",
    "short": "are empty or shorter than minCharacters: left out",
    "long": "are longer than maxCharacters: left out",
    "unanswerable": "have an answer that is not in their context: left out",
    "repeated": "are repetitions: left out",
    "nearlyRepeated": "are nearly repetitions: left out",
    "heldOut": "are in the validation data too: left out of the training",
    "augmented": "are made of others, with words missing or in other places: added",
}


@dataclass(frozen=True)
class Corpus:
    """Training and held-out examples; `digest` identifies both, with their order.

    counts: for "training" and "validation" the number of examples read, dropped by each step, or added.
    """

    train: list[Example]
    validation: list[Example]
    digest: str
    counts: dict[str, Counts]


def load(data: Data, roles: Roles, mounts: Path, downloads: Path, report: Report) -> Corpus:
    """Reads, preprocesses, splits, weights and augments the data of a job.

    Raises exits.Failure if nothing is left to learn from.
    """
    columns = roles.columns(data.fields)

    def read(inputs: list[DataSource], part: str) -> tuple[list[Example], Counts]:
        examples: list[Example] = []
        for number, source in enumerate(inputs):
            folder = downloads / f"{part}-{number}"
            folder.mkdir(parents=True)
            secret = source.credentials.secret_name if source.credentials else None
            for name, path in sources.fetch(source.uri, mounts, folder, report, secret).items():
                examples += (Example(texts, source.weight) for texts in formats.read(path, name, columns))
        kept, counts = preprocess(examples, data.preprocessing, roles)
        if not kept and part == "training":
            raise _nothing_left(data, examples, columns, counts)
        _report_counts(part, counts, report)
        return kept, counts

    train, counts = read(data.train, "training")
    all_counts = {"training": counts}
    if data.validation.uri is not None:
        validation, all_counts["validation"] = read([_source(data.validation)], "validation")
        train, more = _without(train, validation, roles.key)
        _add(counts, {"heldOut": more}, report)
    else:
        assert data.validation.fraction is not None
        train, validation = split(train, data.validation.fraction, roles.key)
    _refuse_empty(data, train, validation)
    if data.augmentation is not None:
        made, _ = _without(list(augment(train, data.augmentation, roles.noisy)), validation, roles.key)
        train += made
        _add(counts, {"augmented": len(made)}, report)
    train = list(weighted(train))
    if not train:
        raise Failure("EmptyCorpus", "no example is left by the weights of the sources; raise them", BAD_DATA)
    report(f"{len(train):,} examples to learn from, {len(validation):,} held out")
    return Corpus(train, validation, digest(train, validation), all_counts)


def _source(held_out: Validation) -> DataSource:
    assert held_out.uri is not None
    return DataSource(uri=held_out.uri, credentials=held_out.credentials)


def texts(examples: list[Example]) -> list[str]:
    """The texts of examples that have one each."""
    return [example.roles["text"] for example in examples]


def split(examples: Iterable[Example], fraction: float, key: str) -> tuple[list[Example], list[Example]]:
    """Train and validation. Only the text in the role `key` decides, so the split is the same in every version."""
    train: list[Example] = []
    validation: list[Example] = []
    for example in examples:
        (validation if share(example.roles[key]) < fraction else train).append(example)
    return train, validation


def weighted(examples: list[Example]) -> Iterator[Example]:
    """Each example as often as its weight, in rounds; a fraction of a weight is a share of the examples."""
    rounds = 0
    while examples:
        examples = [example for example in examples if example.weight > rounds + share(example.content, offset=1)]
        yield from examples
        rounds += 1


def digest(train: Iterable[Example], validation: Iterable[Example]) -> str:
    """Identifies exactly these examples in this order and split."""
    whole = hashlib.sha256()
    for part in (train, validation):
        for example in part:
            whole.update(example.digest())
        whole.update(b"|")
    return f"sha256:{whole.hexdigest()}"


def _without(train: list[Example], held_out: list[Example], key: str) -> tuple[list[Example], int]:
    """Held-out examples must not be learned: as in a split, the text in the role `key` decides."""
    secret = {example.roles[key] for example in held_out}
    kept = [example for example in train if example.roles[key] not in secret]
    return kept, len(train) - len(kept)


def _add(counts: Counts, more: Counts, report: Report) -> None:
    counts.update(more)
    _report_counts("training", more, report)


def _report_counts(part: str, counts: Counts, report: Report) -> None:
    for name, count in counts.items():
        report(f"{part} data: {count:,} {_MEANINGS[name]}")


def _nothing_left(data: Data, examples: list[Example], columns: dict[str, str], counts: Counts) -> Failure:
    why = ", ".join(f"{count:,} {_MEANINGS[name]}" for name, count in counts.items() if count and name != "read")
    empty = [columns[role] for role in columns if examples and not any(e.roles[role].strip() for e in examples)]
    return Failure(
        "EmptyCorpus",
        f"no text is left of {', '.join(source.uri for source in data.train)} after preprocessing "
        f"(minCharacters: {data.preprocessing.min_characters}; {counts['read']:,} examples read{why and '; ' + why})"
        f"{'; always empty: ' + ', '.join(empty) if empty else ''}; give data with text in it",
        BAD_DATA,
    )


def _refuse_empty(data: Data, train: list[Example], validation: list[Example]) -> None:
    if not train:
        raise Failure("EmptyCorpus", f"all {len(validation)} examples are held out; give more data", BAD_DATA)
    if not validation:
        advice = "give more data or a larger fraction" if data.validation.uri is None else "give another file"
        raise Failure("EmptyValidation", f"nothing is held out of {len(train)} examples; {advice}", BAD_DATA)
