"""Inference tasks answer as transformers and the training do with the same artifact, alone and in a batch."""

import json
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, TextClassificationPipeline

from perennial_contract.tasks import TASKS as CONTRACT_TASKS
from perennial_serving.artifact.loading import load
from perennial_serving.engine.metrics import Metrics
from perennial_serving.inference.batching import Inference, next_batch
from perennial_serving.inference.encoded_input import EncodedInput
from perennial_serving.inference.requests import parse
from perennial_serving.inference.spans import Window
from perennial_serving.inference.task import InferenceTask
from perennial_serving.tasks import TASKS
from perennial_testing.serving.artifacts import SharedArtifacts
from perennial_testing.serving.inference_artifacts import (
    CLASSIFIERS,
    CONTEXT,
    INFERENCE_ARTIFACTS,
    LONG,
    QUESTIONS,
    TEXTS,
    training_objective,
)

AnyTask = InferenceTask[Any, Any, Any]
AnyInference = Inference[EncodedInput, Any]


@pytest.fixture(scope="module")
def tasks(artifacts: SharedArtifacts) -> dict[str, AnyTask]:
    loaded = {name: load(artifacts[name], name, "1") for name in INFERENCE_ARTIFACTS}
    return {name: task for name, task in loaded.items() if isinstance(task, InferenceTask)}


def ask(task: AnyTask, inputs: Any, **parameters: Any) -> Any:
    """The way of a request, without the engine."""
    request = parse(task.request, json.dumps({"inputs": inputs, "parameters": parameters}).encode())
    encoded = task.encode(request)
    return task.answer(request, encoded, compute(task, encoded))


@torch.inference_mode()
def compute(task: AnyTask, inputs: Sequence[EncodedInput]) -> list[Any]:
    return task.compute(inputs, lambda: [False] * len(inputs))


def test_the_tasks_are_those_of_the_contract() -> None:
    assert tuple(TASKS) == tuple(CONTRACT_TASKS)


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("function", [None, "softmax", "sigmoid", "none"])
@pytest.mark.parametrize("top_k", [None, 1, 2, 9])
def test_labels_are_those_of_the_pipeline_of_transformers(
    tasks: dict[str, AnyTask], artifacts: SharedArtifacts, name: str, function: str | None, top_k: int | None
) -> None:
    texts = [text for text in TEXTS if "<|" not in text]  # the pipeline takes it for a special token
    tokenizer = AutoTokenizer.from_pretrained(artifacts[name])
    pipeline = TextClassificationPipeline(model=tasks[name].model, tokenizer=tokenizer)
    expected = [pipeline(text, top_k=top_k, function_to_apply=function) for text in texts]
    found = ask(tasks[name], texts, top_k=top_k, function_to_apply=function)
    for one, other in zip(found, expected, strict=True):
        assert [element["label"] for element in one] == [element["label"] for element in other]
        assert [element["score"] for element in one] == pytest.approx([element["score"] for element in other], abs=1e-5)


@pytest.mark.parametrize(
    ("problem", "labels", "function"),
    [
        pytest.param("regression", 3, "none", id="regression"),
        pytest.param("multi_label_classification", 3, "sigmoid", id="several labels at once"),
        pytest.param("single_label_classification", 3, "softmax", id="one of several labels"),
        pytest.param(None, 1, "sigmoid", id="one label"),
    ],
)
def test_the_scores_follow_the_kind_of_the_model(
    tasks: dict[str, AnyTask], monkeypatch: pytest.MonkeyPatch, problem: str | None, labels: int, function: str
) -> None:
    task = tasks["mlp classifier"]
    expected = ask(task, TEXTS[0], function_to_apply=function)
    monkeypatch.setattr(task.model.config, "problem_type", problem)
    if labels == 1:
        monkeypatch.setattr(type(task.model.config), "num_labels", 1)
    assert ask(task, TEXTS[0]) == expected


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_labels_are_as_likely_as_the_training_says(
    tasks: dict[str, AnyTask], artifacts: SharedArtifacts, name: str
) -> None:
    judging, held_out = training_objective(
        name, artifacts[name], [{"text": text, "label": "neutral"} for text in TEXTS]
    )
    chances, _ = judging.log_probabilities(tasks[name].model, held_out)  # type: ignore[attr-defined]
    labels = tasks[name].model.config.id2label
    for found, row in zip(ask(tasks[name], TEXTS), chances.exp().tolist(), strict=True):
        scores = {element["label"]: element["score"] for element in found}
        assert [scores[labels[number]] for number in range(3)] == pytest.approx(row, abs=1e-5)


def test_translations_are_those_of_the_training(tasks: dict[str, AnyTask], artifacts: SharedArtifacts) -> None:
    task = tasks["translation"]
    judging, held_out = training_objective(
        "translation", artifacts["translation"], [{"source": text, "target": "x"} for text in TEXTS]
    )
    expected = judging.translations(task.model, held_out)  # type: ignore[attr-defined]
    assert [found["translation_text"] for found in ask(task, TEXTS)] == expected
    assert len(set(expected)) == len(expected)


def encoded(task: AnyTask, text: str, limit: int) -> EncodedInput:
    return EncodedInput(torch.tensor(task.tokenizer.encode(text).ids), 0, limit)


def test_a_translation_is_cut_where_it_is_asked_to(tasks: dict[str, AnyTask]) -> None:
    task = tasks["slow translation"]
    limits = (3, 12, 1, 7, 5)
    inputs = [encoded(task, text, limit) for text, limit in zip(TEXTS, limits, strict=True)]
    together = compute(task, inputs)
    assert tuple(map(len, together)) == limits
    assert together == [compute(task, [item])[0] for item in inputs]


def test_a_translation_ends_when_nobody_waits_for_it(tasks: dict[str, AnyTask]) -> None:
    task = tasks["slow translation"]
    inputs = [encoded(task, text, 1400) for text in TEXTS[:2]]
    calls = 0

    def cancelled() -> list[bool]:
        nonlocal calls
        calls += 1
        return [True, calls > 5]

    with torch.inference_mode():
        task.compute(inputs, cancelled)
    assert calls == 6


def test_answers_are_those_of_the_training(tasks: dict[str, AnyTask], artifacts: SharedArtifacts) -> None:
    name = "question answering"
    judging, held_out = training_objective(
        name, artifacts[name], [question | {"answer": "R"} for question in _with_r()]
    )
    assert len(held_out.rows) > len(_with_r()) + 3  # windows
    expected = judging.answers(tasks[name].model, held_out)  # type: ignore[attr-defined]
    assert [found["answer"] for found in ask(tasks[name], _with_r())] == expected


def _with_r() -> list[dict[str, str]]:
    """The training wants to find its answer in the context."""
    return [question | {"context": question["context"] + " R"} for question in QUESTIONS]


def test_places_and_scores_of_answers(tasks: dict[str, AnyTask]) -> None:
    task = tasks["question answering"]
    for question in QUESTIONS:
        found = ask(task, question, top_k=100)
        assert found[0] == ask(task, question)
        assert [answer["score"] for answer in found] == sorted((answer["score"] for answer in found), reverse=True)
        assert len({(answer["start"], answer["end"]) for answer in found}) == len(found)
        assert sum(answer["score"] for answer in found) <= 1 + 1e-6
        for answer in found:
            assert answer["answer"] == question["context"][answer["start"] : answer["end"]].strip()


def test_the_score_of_an_answer_is_the_product_of_two_probabilities(tasks: dict[str, AnyTask]) -> None:
    task = tasks["question answering"]
    question = {"question": "what is it?", "context": TEXTS[1]}
    (window,) = task.encode(parse(task.request, json.dumps({"inputs": question}).encode()))
    starts, ends = compute(task, [window])[0]
    assert isinstance(window, Window)
    inside = window.inside
    best = max(
        (starts[first] + ends[last]).item()
        for first in range(len(inside))
        for last in range(first, min(first + 30, len(inside)))
        if inside[first] and inside[last]
    )
    expected = math.exp(best - starts[inside].logsumexp(0) - ends[inside].logsumexp(0))
    assert ask(task, question)["score"] == pytest.approx(expected, abs=1e-6)


def test_an_answer_has_no_more_tokens_than_wanted(tasks: dict[str, AnyTask]) -> None:
    task = tasks["question answering"]
    single = ask(task, QUESTIONS[1], top_k=100, max_answer_len=1)
    assert all(len(task.tokenizer.encode(answer["answer"], add_special_tokens=False).ids) <= 1 for answer in single)
    assert any(len(answer["answer"].split()) > 1 for answer in ask(task, QUESTIONS[1], top_k=100))


def inputs_of(task: AnyTask) -> list[Any]:
    return QUESTIONS if task.loaded.task == "question-answering" else TEXTS


@pytest.mark.parametrize("name", INFERENCE_ARTIFACTS)
def test_an_input_has_the_same_result_in_a_batch_as_alone(tasks: dict[str, AnyTask], name: str) -> None:
    task = tasks[name]
    parameters = {"generate_parameters": {"max_new_tokens": 30}} if "translation" in name else {}
    request = parse(task.request, json.dumps({"inputs": inputs_of(task), "parameters": parameters}).encode())
    inputs = task.encode(request)
    assert len({len(item.ids) for item in inputs}) > 2
    together = compute(task, inputs)
    for item, result in zip(inputs, together, strict=True):
        (alone,) = compute(task, [item])
        torch.testing.assert_close(torch.as_tensor(result), torch.as_tensor(alone), atol=1e-5, rtol=0)


def test_a_text_may_fill_the_context_to_the_last_token(tasks: dict[str, AnyTask]) -> None:
    for name in ("transformer classifier", "translation"):
        specials = len(tasks[name].tokenizer.encode("").ids)
        assert ask(tasks[name], "#" * (CONTEXT - specials))


def test_the_context_is_the_one_of_the_training(artifacts: SharedArtifacts, tmp_path: Path) -> None:
    """A model that could read more has learned from no longer texts, and its windows are those."""
    folder = tmp_path / "artifact"
    folder.symlink_to(artifacts["question answering"])
    assert load(folder, "n", "1").loaded.context_length == CONTEXT
    copied = shutil.copytree(artifacts["question answering"], tmp_path / "copy")
    facts = json.loads((copied / "perennial.json").read_text())
    (copied / "perennial.json").write_text(json.dumps(facts | {"contextLength": 20}))
    task = load(copied, "n", "1")
    assert isinstance(task, InferenceTask)
    request = parse(task.request, json.dumps({"inputs": QUESTIONS[2] | {"context": LONG}}).encode())
    assert max(len(window.ids) for window in task.encode(request)) == 20


def names(batch: list[tuple[AnyInference, EncodedInput]]) -> list[str]:
    return [chr(item.index) for _, item in batch]


def test_a_short_request_does_not_wait_for_one_with_many_inputs(tasks: dict[str, AnyTask]) -> None:
    task = tasks["rnn classifier"]
    computation = task.computation(4, Metrics())
    answered: list[str] = []
    long: AnyInference = Inference([encoded(task, TEXTS[4], 0)] * 256, deliver=lambda _: answered.append("long"))
    short: AnyInference = Inference([encoded(task, "x", 0)], deliver=lambda _: answered.append("short"))
    assert computation.step([long]) == []
    assert computation.step([long, short]) == [short]
    while not computation.step([long]):
        pass
    assert answered == ["short", "long"]
    assert len(long.results) == 256


def test_each_request_gets_a_place_and_the_rest_is_shared() -> None:
    ids = torch.tensor([0])
    long, short = (
        Inference([EncodedInput(ids, ord(name)) for name in names], deliver=print) for names in ("abcdef", "xy")
    )
    assert names(next_batch([long, short], 2)) == ["a", "x"]
    assert names(next_batch([long, short], 3)) == ["a", "x", "b"]
    assert names(next_batch([long, short], 6)) == ["a", "x", "b", "y", "c", "d"]
    long.results = [0] * 5
    assert names(next_batch([long, short], 6)) == ["f", "x", "y"]
    assert names(next_batch([long], 1)) == ["f"]
