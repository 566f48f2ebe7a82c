"""The naive rules, against what a person works out by hand."""

import math

import pytest

from perennial_testing.training.task_corpora import ROWS, give, learned
from perennial_training.data.example import Example
from perennial_training.tasks.question_answering.baseline import first_sentence
from perennial_training.tasks.translation.baseline import dictionary


def test_a_word_is_translated_by_its_most_faithful_companion():
    pairs = [("a cat", "un chat"), ("a dog", "un chien"), ("the cat", "le chat")]
    found = dictionary([Example({"source": source, "target": target}) for source, target in pairs])
    assert found == {"a": "un", "cat": "chat", "dog": "chien", "the": "le"}


@pytest.mark.parametrize(
    ("text", "first"),
    [("One. Two.", "One."), ("Is it 3.5? Yes.", "Is it 3.5?"), ("no end", "no end"), ("", "")],
)
def test_the_first_sentence(text, first):
    assert first_sentence(text) == first


def test_text_is_compared_with_the_frequencies_of_tokens(pod):
    pod.corpus.write_text("\n\n".join(f"{word * 3} {number}" for number in range(300) for word in ("ab", "cd")))
    pod.job["data"]["preprocessing"]["minCharacters"] = 1
    result, facts = learned(pod)
    found = result["baseline"]["metrics"]
    assert found["perplexity"] == pytest.approx(math.exp(found["loss"]), rel=1e-4)
    assert result["initialMetrics"]["loss"] > found["loss"] > 1
    assert f"| {found['loss']} |" in (pod.output / "README.md").read_text()
    assert facts["baseline"] == result["baseline"]


@pytest.mark.parametrize("task", ROWS)
def test_what_is_learned_is_no_worse_than_the_baseline(pod, task):
    give(pod, task)
    pod.job["training"]["hyperparameters"]["maxSteps"] = 120
    result, _ = learned(pod)
    assert result["baseline"]["metrics"]
    for name, value in result["baseline"]["metrics"].items():
        assert result["metrics"][name] >= value
        assert value < 1 or task == "translation"  # those pairs are translated word by word


def test_the_most_frequent_label_is_right_as_often_as_it_is_there(pod):
    give(pod, "sentiment-analysis")
    result, _ = learned(pod)
    accuracy = result["baseline"]["metrics"]["accuracy"]
    assert 0.3 < accuracy < 0.7
    assert result["baseline"]["metrics"]["macroF1"] == pytest.approx(accuracy / (1 + accuracy), rel=1e-4)
