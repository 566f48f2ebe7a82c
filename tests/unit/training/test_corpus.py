"""Splitting, weighting, augmenting: stable sides, and what the content alone decides."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial_contract.job import Augmentation, Data, Preprocessing
from perennial_training.data import corpus
from perennial_training.data.augmentation import augment
from perennial_training.data.example import Example
from perennial_training.tasks import TASKS

TEXTS = st.lists(st.text(max_size=12))
FRACTIONS = st.floats(0.05, 0.95)


def examples(*texts, weight=1.0):
    return [Example({"text": text}, weight) for text in texts]


def sides(texts, fraction):
    return tuple(corpus.texts(side) for side in corpus.split(examples(*texts), fraction, "text"))


@given(TEXTS, FRACTIONS)
def test_a_split_is_disjoint_and_whole(texts, fraction):
    train, validation = sides(texts, fraction)
    assert not set(train) & set(validation)
    assert sorted(train + validation) == sorted(texts)


@given(TEXTS, TEXTS, FRACTIONS)
def test_a_text_stays_on_its_side_whatever_is_around_it(texts, others, fraction):
    train, validation = sides(texts, fraction)
    more_train, more_validation = sides([*others, *reversed(texts)], fraction)
    assert set(train) <= set(more_train)
    assert set(validation) <= set(more_validation)


@given(TEXTS, FRACTIONS)
def test_a_larger_fraction_only_adds(texts, fraction):
    assert set(sides(texts, fraction / 2)[1]) <= set(sides(texts, fraction)[1])


def test_the_fraction_is_met():
    _, validation = sides([f"text {number}" for number in range(20_000)], 0.1)
    assert 1800 < len(validation) < 2200


def test_the_digest_names_texts_order_and_split():
    digests = {
        corpus.digest(examples(*train), examples(*validation))
        for train, validation in [("ab", ""), ("ba", ""), ("a", "b"), ("", "ab"), (["ab"], "")]
    }
    assert len(digests) == 5
    assert corpus.digest(examples("a"), examples("b")) == corpus.digest(examples("a"), examples("b"))


@given(st.lists(st.floats(0.01, 5), max_size=20))
def test_a_weight_is_met_to_one_and_the_rounds_are_apart(weights):
    given = [Example({"text": str(number)}, weight) for number, weight in enumerate(weights)]
    found = corpus.texts(list(corpus.weighted(given)))
    times = Counter(found)
    assert all(abs(times[str(number)] - weight) < 1 for number, weight in enumerate(weights))
    assert len(set(found[: len(times)])) == len(times)


@pytest.mark.parametrize(("weight", "low", "high"), [(0.25, 400, 600), (1.0, 2000, 2000), (2.5, 4800, 5200)])
def test_a_weight_is_met_over_many(weight, low, high):
    given = [Example({"text": str(number)}, weight) for number in range(2000)]
    assert low <= len(list(corpus.weighted(given))) <= high


@given(st.text("ab ", min_size=1), st.integers(1, 3), st.floats(0, 0.9), st.floats(0, 1))
def test_a_copy_has_the_words_of_its_original_and_is_the_same_every_time(text, copies, deleted, swapped):
    rules = Augmentation(copies=copies, delete_words=deleted, swap_words=swapped)
    made = corpus.texts(list(augment(examples(text), rules, ("text",))))
    assert made == corpus.texts(list(augment(examples(text), rules, ("text",))))
    assert len(made) <= copies
    assert text not in made
    for copy in made:
        assert not Counter(copy.split(" ")) - Counter(text.split(" "))


def test_the_share_of_words_that_is_asked_for_goes():
    text = " ".join(str(number) for number in range(1000))
    (copy,) = augment(examples(text), Augmentation(delete_words=0.3, swap_words=0), ("text",))
    assert 640 < len(copy.roles["text"].split()) < 760


def test_a_text_that_is_held_out_is_not_learned_with_another_label_either(tmp_path):
    for name, label in (("train", "good"), ("held", "bad")):
        rows = [{"text": f"a text with the number {number}", "label": label} for number in range(20)]
        lines = [*rows[:5], {"text": "of these there is but one", "label": "good"}] if name == "held" else rows
        (tmp_path / f"{name}.jsonl").write_text("\n".join(json.dumps(row) for row in lines))
    data = Data(train=[{"uri": f"file://{tmp_path}/train.jsonl"}], validation={"uri": f"file://{tmp_path}/held.jsonl"})
    found = corpus.load(data, TASKS["sentiment-analysis"].roles, tmp_path, tmp_path, lambda line: None)
    assert (len(found.train), len(found.validation)) == (15, 6)
    assert found.counts["training"]["heldOut"] == 5


def test_held_out_examples_are_neither_weighted_nor_augmented(tmp_path):
    (tmp_path / "a.txt").write_text("\n\n".join(f"a text with the number {number}" for number in range(100)))
    said = []
    data = Data(
        train=[{"uri": f"file://{tmp_path}/a.txt", "weight": 2.0}],
        validation={"fraction": 0.2},
        preprocessing=Preprocessing(),
        augmentation=Augmentation(),
    )
    found = corpus.load(data, TASKS["text-generation"].roles, tmp_path, tmp_path, said.append)
    held_out = set(corpus.texts(found.validation))
    assert len(held_out) == len(found.validation)
    assert not held_out & set(corpus.texts(found.train))
    once = 100 - len(held_out)
    added = found.counts["training"]["augmented"]
    assert 0.9 * once < added <= once
    assert len(found.train) == 2 * (once + added)
    assert f"training data: {added} are made of others, with words missing or in other places: added" in said
