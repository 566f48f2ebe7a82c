"""Preprocessing and splitting: fixed order, stable sides."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial_training import corpus
from perennial_training.config import Preprocessing

TEXTS = st.lists(st.text(max_size=12))
FRACTIONS = st.floats(0.05, 0.95)


def rules(**changed):
    return Preprocessing(**({"normalize_unicode": None, "deduplicate": False, "min_characters": 0} | changed))


@pytest.mark.parametrize(
    ("why", "rule", "texts", "kept"),
    [
        ("nothing asked for: only empty ones go", rules(), ["a", " ", "", "a"], ["a", "a"]),
        ("space around a text goes", rules(), ["  a b \n"], ["a b"]),
        ("compatible characters become one", rules(normalize_unicode="NFKC"), ["ﬁne", "ａ"], ["fine", "a"]),
        ("NFC composes", rules(normalize_unicode="NFC"), ["e\u0301"], ["é"]),
        ("short ones go", rules(min_characters=3), ["ab", "abc", " ab "], ["abc"]),
        ("length counts after normalising", rules(normalize_unicode="NFC", min_characters=2), ["e\u0301"], []),
        ("repetitions go, the first stays", rules(deduplicate=True), ["b", "a", "b"], ["b", "a"]),
        (
            "what normalising makes equal is a repetition",
            rules(normalize_unicode="NFKC", deduplicate=True),
            ["ﬁ", " fi"],
            ["fi"],
        ),
    ],
)
def test_preprocessing(why, rule, texts, kept):
    assert corpus.preprocess(texts, rule, lambda line: None) == kept, why


def test_each_step_is_counted_aloud():
    said = []
    corpus.preprocess(["abc", "abc", "x"], rules(deduplicate=True, min_characters=2), said.append)
    assert said == [
        "3 examples read",
        "1 are empty or shorter than 2 characters: left out",
        "1 are repetitions: left out",
    ]


@given(TEXTS)
def test_preprocessing_twice_changes_nothing(texts):
    rule = Preprocessing(min_characters=1)
    once = corpus.preprocess(texts, rule, lambda line: None)
    assert corpus.preprocess(once, rule, lambda line: None) == once


@given(TEXTS, FRACTIONS)
def test_a_split_is_disjoint_and_whole(texts, fraction):
    train, validation = corpus.split(texts, fraction)
    assert not set(train) & set(validation)
    assert sorted(train + validation) == sorted(texts)


@given(TEXTS, TEXTS, FRACTIONS)
def test_a_text_stays_on_its_side_whatever_is_around_it(texts, others, fraction):
    train, validation = corpus.split(texts, fraction)
    more_train, more_validation = corpus.split([*others, *reversed(texts)], fraction)
    assert set(train) <= set(more_train)
    assert set(validation) <= set(more_validation)


@given(TEXTS, FRACTIONS)
def test_a_larger_fraction_only_adds(texts, fraction):
    assert set(corpus.split(texts, fraction / 2)[1]) <= set(corpus.split(texts, fraction)[1])


def test_the_fraction_is_met():
    _, validation = corpus.split([f"text {number}" for number in range(20_000)], 0.1)
    assert 1800 < len(validation) < 2200


def test_the_digest_names_texts_order_and_split():
    digests = {
        corpus.digest(train, validation)
        for train, validation in [(["a", "b"], []), (["b", "a"], []), (["a"], ["b"]), ([], ["a", "b"]), (["ab"], [])]
    }
    assert len(digests) == 5
    assert corpus.digest(["a"], ["b"]) == corpus.digest(["a"], ["b"])
