"""Preprocessing: a fixed order, each step counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial_contract.job import Preprocessing
from perennial_training.data.example import Example
from perennial_training.data.preprocessing import preprocess
from perennial_training.tasks import TASKS

TEXTS = st.lists(st.text(max_size=12))
PARAGRAPH = "the quick brown fox jumps over the lazy dog while nobody is looking at it from behind the old fence"


def rules(**changed):
    return Preprocessing(**({"normalize_unicode": "None", "deduplicate": False, "min_characters": 0} | changed))


def kept_of(texts, rule):
    kept, _ = preprocess([Example({"text": text}) for text in texts], rule, TASKS["text-generation"].roles)
    return [example.roles["text"] for example in kept]


@pytest.mark.parametrize(
    ("why", "rule", "texts", "kept"),
    [
        ("nothing asked for: only empty ones go", rules(), ["a", " ", "", "a"], ["a", "a"]),
        ("space around a text goes", rules(), ["  a b \n"], ["a b"]),
        ("compatible characters become one", rules(normalize_unicode="NFKC"), ["ﬁne", "ａ"], ["fine", "a"]),
        ("NFC composes", rules(normalize_unicode="NFC"), ["e\u0301"], ["é"]),
        ("tags go, entities become characters", rules(strip_markup=True), ["<p>a &lt; <b>b</b></p>"], ["a < b"]),
        ("what no reader sees goes", rules(strip_markup=True), ["a<!-- b --><script>c()</script>"], ["a"]),
        ("text that only looks like markup stays", rules(strip_markup=True), ["1 < 2 and 3 > 2"], ["1 < 2 and 3 > 2"]),
        ("nothing but markup is empty", rules(strip_markup=True), ["<br/>"], []),
        ("letters become small", rules(lowercase=True), ["ÀB ǅ"], ["àb ǆ"]),
        ("short ones go", rules(min_characters=3), ["ab", "abc", " ab "], ["abc"]),
        ("long ones go", rules(max_characters=2), ["ab", "abc", " ab "], ["ab", "ab"]),
        ("length counts after normalising", rules(normalize_unicode="NFC", min_characters=2), ["e\u0301"], []),
        ("length counts without markup", rules(strip_markup=True, min_characters=2), ["<b>a</b>"], []),
        ("repetitions go, the first stays", rules(deduplicate=True), ["b", "a", "b"], ["b", "a"]),
        (
            "what normalising makes equal is a repetition",
            rules(normalize_unicode="NFKC", deduplicate=True),
            ["ﬁ", " fi"],
            ["fi"],
        ),
        (
            "near repetitions go, the first stays",
            rules(near_duplicates=0.7),
            [PARAGRAPH, f"{PARAGRAPH} again", "another text of seven words in all"],
            [PARAGRAPH, "another text of seven words in all"],
        ),
        ("case is no difference to near repetitions", rules(near_duplicates=0.9), ["A b", "a B"], ["A b"]),
    ],
)
def test_preprocessing(why, rule, texts, kept):
    assert kept_of(texts, rule) == kept, why


def test_each_step_is_counted():
    given = [Example({"text": text}) for text in ("abc", "abc", "x", "abcdef")]
    rule = rules(deduplicate=True, min_characters=2, max_characters=5, near_duplicates=1.0)
    _, counts = preprocess(given, rule, TASKS["text-generation"].roles)
    assert counts == {"read": 4, "short": 1, "long": 1, "repeated": 1, "nearlyRepeated": 0}


@given(TEXTS)
def test_preprocessing_twice_changes_nothing(texts):
    rule = Preprocessing(min_characters=1)
    once = kept_of(texts, rule)
    assert kept_of(once, rule) == once
