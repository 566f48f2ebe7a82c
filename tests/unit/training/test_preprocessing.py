"""Preprocessing: a fixed order, each step counted."""

from dataclasses import dataclass, field

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


@dataclass(frozen=True)
class Case:
    texts: list[str]
    kept: list[str]
    rule: Preprocessing = field(default_factory=rules)


CASES = {
    "nothing asked for: only empty ones go": Case(texts=["a", " ", "", "a"], kept=["a", "a"]),
    "space around a text goes": Case(texts=["  a b \n"], kept=["a b"]),
    "compatible characters become one": Case(
        rule=rules(normalize_unicode="NFKC"), texts=["ﬁne", "ａ"], kept=["fine", "a"]
    ),
    "NFC composes": Case(rule=rules(normalize_unicode="NFC"), texts=["e\u0301"], kept=["é"]),
    "tags go, entities become characters": Case(
        rule=rules(strip_markup=True), texts=["<p>a &lt; <b>b</b></p>"], kept=["a < b"]
    ),
    "what no reader sees goes": Case(
        rule=rules(strip_markup=True), texts=["a<!-- b --><script>c()</script>"], kept=["a"]
    ),
    "text that only looks like markup stays": Case(
        rule=rules(strip_markup=True), texts=["1 < 2 and 3 > 2"], kept=["1 < 2 and 3 > 2"]
    ),
    "nothing but markup is empty": Case(rule=rules(strip_markup=True), texts=["<br/>"], kept=[]),
    "letters become small": Case(rule=rules(lowercase=True), texts=["ÀB ǅ"], kept=["àb ǆ"]),
    "short ones go": Case(rule=rules(min_characters=3), texts=["ab", "abc", " ab "], kept=["abc"]),
    "long ones go": Case(rule=rules(max_characters=2), texts=["ab", "abc", " ab "], kept=["ab", "ab"]),
    "length counts after normalising": Case(
        rule=rules(normalize_unicode="NFC", min_characters=2), texts=["e\u0301"], kept=[]
    ),
    "length counts without markup": Case(rule=rules(strip_markup=True, min_characters=2), texts=["<b>a</b>"], kept=[]),
    "repetitions go, the first stays": Case(rule=rules(deduplicate=True), texts=["b", "a", "b"], kept=["b", "a"]),
    "what normalising makes equal is a repetition": Case(
        rule=rules(normalize_unicode="NFKC", deduplicate=True), texts=["ﬁ", " fi"], kept=["fi"]
    ),
    "near repetitions go, the first stays": Case(
        rule=rules(near_duplicates=0.7),
        texts=[PARAGRAPH, f"{PARAGRAPH} again", "another text of seven words in all"],
        kept=[PARAGRAPH, "another text of seven words in all"],
    ),
    "case is no difference to near repetitions": Case(
        rule=rules(near_duplicates=0.9), texts=["A b", "a B"], kept=["A b"]
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_preprocessing(case):
    assert kept_of(case.texts, case.rule) == case.kept


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
