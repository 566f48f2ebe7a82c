"""Each task from its file to its artifact: what is learned beats what needs no learning."""

import json
from dataclasses import dataclass

import pytest
from transformers import (
    AutoModelForQuestionAnswering,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

from perennial_contract.exits import BAD_CONFIGURATION, BAD_DATA
from perennial_testing.training.task_corpora import BAD, GOOD, ROWS, give, learned
from perennial_training.tasks.question_answering.scores import f1, normalized

AUTO = {
    "sentiment-analysis": AutoModelForSequenceClassification,
    "translation": AutoModelForSeq2SeqLM,
    "question-answering": AutoModelForQuestionAnswering,
}


def test_sentiment_analysis(pod):
    give(pod, "sentiment-analysis")
    result, facts = learned(pod)
    assert result["metrics"]["accuracy"] > 0.95 > result["initialMetrics"]["accuracy"]
    assert set(result["metrics"]) == {"loss", "accuracy", "macroF1"}
    assert facts["labels"] == ["negative", "positive"]
    model = AUTO["sentiment-analysis"].from_pretrained(pod.output).eval()
    tokenizer = AutoTokenizer.from_pretrained(pod.output)
    said = model(**tokenizer("the lovely film was kind and warm", return_tensors="pt")).logits.argmax().item()
    assert model.config.id2label[said] == "positive"


def test_translation(pod):
    give(pod, "translation")
    pod.job["training"]["hyperparameters"] |= {"maxSteps": 250}
    result, _ = learned(pod)
    assert result["metrics"]["bleu"] > 60
    assert result["metrics"]["chrf"] > 60
    assert set(result["initialMetrics"]) == {"loss", "perplexity"}
    model = AUTO["translation"].from_pretrained(pod.output).eval()
    tokenizer = AutoTokenizer.from_pretrained(pod.output)
    asked = tokenizer("friday it snows outside", return_tensors="pt")
    said = model.generate(asked.input_ids, attention_mask=asked.attention_mask, max_new_tokens=16)
    assert tokenizer.decode(said[0], skip_special_tokens=True).strip() == "dehors il neige vendredi"


def test_question_answering(pod):
    give(pod, "question-answering")
    pod.job["training"]["hyperparameters"] |= {"maxSteps": 120}
    result, _ = learned(pod)
    assert result["metrics"]["exactMatch"] > 0.9 > result["initialMetrics"]["exactMatch"]
    assert result["metrics"]["f1"] >= result["metrics"]["exactMatch"]
    AUTO["question-answering"].from_pretrained(pod.output)


@pytest.mark.parametrize("task", ROWS)
def test_a_served_version_is_judged_on_the_same_examples(pod, task):
    give(pod, task)
    pod.job["training"]["hyperparameters"]["maxSteps"] = 20
    first, _ = learned(pod)
    served = {"version": 1, "uri": pod.job["output"]["uri"], "digest": first["artifact"]["digest"]}
    pod.job |= {"compareWith": served, "output": {"uri": "pvc://models/tiny/v2"}}
    pod.job["job"]["uid"] = "uid-2"
    second, _ = learned(pod)
    assert second["comparison"] == {"version": 1, "metrics": first["metrics"], "message": None}


@dataclass(frozen=True)
class BadExamples:
    """What each row of the task's corpus is changed to, and how the training refuses it."""

    task: str
    changes: dict[str, object]
    reason: str
    message: str


BAD_EXAMPLES = {
    "a label that is a fraction": BadExamples(
        "sentiment-analysis",
        {"label": 1.5},
        reason="BrokenRecord",
        message="line 1: label is not text or a whole number but 1.5",
    ),
    "one label only": BadExamples(
        "sentiment-analysis", {"label": "good"}, reason="OneLabel", message="all examples have the label 'good'"
    ),
    "targets without text": BadExamples(
        "translation", {"target": "  "}, reason="EmptyCorpus", message="always empty: target"
    ),
    "answers outside their context": BadExamples(
        "question-answering",
        {"answer": "Quito"},
        reason="EmptyCorpus",
        message="have an answer that is not in their context",
    ),
    "an answer that is a number": BadExamples(
        "question-answering",
        {"answer": 7},
        reason="BrokenRecord",
        message="answer is not text, a list of texts, or SQuAD's",
    ),
}


@pytest.mark.parametrize("case", BAD_EXAMPLES.values(), ids=BAD_EXAMPLES)
def test_bad_examples_are_refused(pod, case):
    give(pod, case.task, **case.changes)
    ended = pod.run()
    assert (ended.code, ended.message["reason"]) == (BAD_DATA, case.reason)
    assert case.message in ended.message["message"]


def test_a_text_column_is_no_label(pod):
    give(pod, "sentiment-analysis")
    pod.job["data"]["fields"] = {"label": "text"}
    ended = pod.run()
    assert (ended.code, ended.message["reason"]) == (BAD_DATA, "LabelsAreNoClasses")


@pytest.mark.parametrize("task", ROWS)
def test_plain_text_has_no_columns(pod, task):
    give(pod, task)
    pod.job["data"]["train"] = [{"uri": "pvc://corpus/train.txt"}]
    ended = pod.run()
    assert (ended.code, ended.message["reason"]) == (BAD_DATA, "MissingColumn")


def test_a_family_that_a_task_does_not_have_is_refused(pod):
    give(pod, "translation")
    pod.job["model"]["architecture"]["family"] = "cnn"
    ended = pod.run()
    assert (ended.code, ended.message["reason"]) == (BAD_CONFIGURATION, "BadConfiguration")
    assert "translation has no cnn; use transformer" in ended.message["message"]


def test_answers_are_compared_as_squad_does():
    assert normalized("The  Cat, a dog!") == "cat dog"
    assert f1("the black cat", "a cat") == pytest.approx(2 / 3)
    assert f1("", "cat") == 0
    assert f1("the", "a") == 1


@pytest.mark.parametrize("family", ["rnn", "cnn", "mlp"])
def test_every_family_classifies(pod, family):
    give(pod, "sentiment-analysis")
    pod.job["model"]["architecture"]["family"] = family
    result, _ = learned(pod)
    assert result["metrics"]["accuracy"] > 0.95
    config = json.loads((pod.output / "config.json").read_text())
    assert config["model_type"] == f"perennial-{family}"


@pytest.mark.parametrize("family", ["rnn", "cnn", "mlp"])
def test_every_family_writes(pod, family):
    pod.job["model"]["architecture"]["family"] = family
    pod.job["training"]["hyperparameters"]["maxSteps"] = 40
    result, _ = learned(pod)
    assert result["metrics"]["loss"] < 0.9 * result["initialMetrics"]["loss"]
    first = {"version": 1, "uri": pod.job["output"]["uri"], "digest": result["artifact"]["digest"]}
    pod.job |= {"compareWith": first, "output": {"uri": "pvc://models/tiny/v2"}}
    pod.job["model"] = {"pretrained": {"uri": first["uri"]}}
    pod.job["job"]["uid"] = "uid-2"
    second, _ = learned(pod)
    assert second["comparison"]["metrics"] == result["metrics"] == second["initialMetrics"]


def test_a_classifier_starts_from_a_decoder_that_has_no_token_to_pad_with(pod):
    """As GPT-2, and with classes of other names than those of the base."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    base = pod.claims / "models" / "base"
    words = {"<|endoftext|>": 0} | {word: number for number, word in enumerate(sorted({*GOOD, *BAD}), start=1)}
    made = Tokenizer(models.WordLevel(words, unk_token="<|endoftext|>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<|endoftext|>").save_pretrained(base)
    sizes = {"vocab_size": len(words), "n_embd": 32, "n_layer": 1, "n_head": 2, "n_positions": 64}
    GPT2LMHeadModel(GPT2Config(**sizes, bos_token_id=0, eos_token_id=0)).save_pretrained(base)
    give(pod, "sentiment-analysis")
    pod.job["model"] = {"pretrained": {"uri": "pvc://models/base"}}
    pod.job["training"]["hyperparameters"] |= {"maxSteps": 60, "learningRate": 0.01}
    result, _ = learned(pod)
    assert result["metrics"]["accuracy"] > 0.9
    config = json.loads((pod.output / "config.json").read_text())
    assert (config["pad_token_id"], config["label2id"]) == (0, {"negative": 0, "positive": 1})


def test_a_translator_is_compared_by_its_own_tokenizer(pod):
    give(pod, "translation")
    pod.job["training"]["hyperparameters"]["maxSteps"] = 200
    first, _ = learned(pod)
    assert first["metrics"]["bleu"] > 90
    served = {"version": 1, "uri": pod.job["output"]["uri"], "digest": first["artifact"]["digest"]}
    pod.job |= {"compareWith": served, "output": {"uri": "pvc://models/tiny/v2"}}
    pod.job["job"]["uid"] = "uid-2"
    pod.job["model"]["architecture"]["vocabularySize"] = 290  # other pieces of words
    pod.job["training"]["hyperparameters"]["maxSteps"] = 4
    second, _ = learned(pod)
    assert second["comparison"]["metrics"]["bleu"] == first["metrics"]["bleu"]
