"""Classification, translation and question answering: the same as transformers and the training say of the same
artifact, and the same in a batch as alone."""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from row_artifacts import CONTEXT, ROW_TASKS, TEXTS, judge
from transformers import AutoTokenizer, TextClassificationPipeline

from perennial_contract.tasks import TASKS as CONTRACT_TASKS
from perennial_serving.artifact.loading import load
from perennial_serving.engine.metrics import Metrics
from perennial_serving.inference.computation import Job, next_rows
from perennial_serving.inference.requests import parse
from perennial_serving.inference.row import Row
from perennial_serving.inference.spans import Window
from perennial_serving.inference.task import RowTask
from perennial_serving.tasks import TASKS

CLASSIFIERS = [name for name in ROW_TASKS if name.endswith("classifier")]
LONG = " . ".join(f"note {number} : the {TEXTS[number % 3]} is in Oslo" for number in range(12))
QUESTIONS = [
    {"question": "where is the lamp?", "context": TEXTS[4]},
    {"question": "where is the garden <|end|> ?", "context": LONG},
    {"question": "What?", "context": "Rome"},
    {"question": "who is grey", "context": "  L'éléphant\n est gris, 3 × 3 = 9, <|start|> 漢字 🦊 "},
]
Asking = Callable[..., Any]


@pytest.fixture(scope="module")
def tasks(row_artifacts: dict[str, Path]) -> dict[str, RowTask]:
    loaded = {name: load(folder, name, "1") for name, folder in row_artifacts.items()}
    return {name: task for name, task in loaded.items() if isinstance(task, RowTask)}


def ask(task: RowTask, inputs: Any, **parameters: Any) -> Any:
    """The whole way of a request, but for the engine."""
    asked = parse(task.request, json.dumps({"inputs": inputs, "parameters": parameters}).encode())
    rows = task.encode(asked)
    return task.answer(asked, rows, compute(task, rows))


@torch.inference_mode()
def compute(task: RowTask, rows: Sequence[Row]) -> list[Any]:
    return task.compute(rows, lambda: [False] * len(rows))


def test_the_tasks_are_those_of_the_contract() -> None:
    assert tuple(TASKS) == tuple(CONTRACT_TASKS)


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("function", [None, "softmax", "sigmoid", "none"])
@pytest.mark.parametrize("top_k", [None, 1, 2, 9])
def test_labels_are_those_of_the_pipeline_of_transformers(
    tasks: dict[str, RowTask], row_artifacts: dict[str, Path], name: str, function: str | None, top_k: int | None
) -> None:
    texts = [text for text in TEXTS if "<|" not in text]  # the pipeline takes it for a special token
    tokenizer = AutoTokenizer.from_pretrained(row_artifacts[name])
    pipeline = TextClassificationPipeline(model=tasks[name].model, tokenizer=tokenizer)
    expected = [pipeline(text, top_k=top_k, function_to_apply=function) for text in texts]
    found = ask(tasks[name], texts, top_k=top_k, function_to_apply=function)
    for one, other in zip(found, expected, strict=True):
        assert [element["label"] for element in one] == [element["label"] for element in other]
        assert [element["score"] for element in one] == pytest.approx([element["score"] for element in other], abs=1e-5)


@pytest.mark.parametrize(
    ("problem", "labels", "like"),
    [
        ("regression", 3, "none"),
        ("multi_label_classification", 3, "sigmoid"),
        ("single_label_classification", 3, "softmax"),
        (None, 1, "sigmoid"),
    ],
)
def test_the_scores_follow_the_kind_of_the_model(
    tasks: dict[str, RowTask], monkeypatch: pytest.MonkeyPatch, problem: str | None, labels: int, like: str
) -> None:
    task = tasks["mlp classifier"]
    expected = ask(task, TEXTS[0], function_to_apply=like)
    monkeypatch.setattr(task.model.config, "problem_type", problem)
    if labels == 1:
        monkeypatch.setattr(type(task.model.config), "num_labels", 1)
    assert ask(task, TEXTS[0]) == expected


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_labels_are_as_likely_as_the_training_says(
    tasks: dict[str, RowTask], row_artifacts: dict[str, Path], name: str
) -> None:
    judging, held_out = judge(name, row_artifacts[name], [{"text": text, "label": "neutral"} for text in TEXTS])
    chances, _ = judging.log_probabilities(tasks[name].model, held_out)  # type: ignore[attr-defined]
    labels = tasks[name].model.config.id2label
    for found, row in zip(ask(tasks[name], TEXTS), chances.exp().tolist(), strict=True):
        scores = {element["label"]: element["score"] for element in found}
        assert [scores[labels[number]] for number in range(3)] == pytest.approx(row, abs=1e-5)


def test_translations_are_those_of_the_training(tasks: dict[str, RowTask], row_artifacts: dict[str, Path]) -> None:
    task = tasks["translation"]
    judging, held_out = judge(
        "translation", row_artifacts["translation"], [{"source": text, "target": "x"} for text in TEXTS]
    )
    expected = judging.translations(task.model, held_out)  # type: ignore[attr-defined]
    assert [found["translation_text"] for found in ask(task, TEXTS)] == expected
    assert len(set(expected)) == len(expected)


def row_of(task: RowTask, text: str, limit: int) -> Row:
    return Row(torch.tensor(task.tokenizer.encode(text).ids), 0, limit)


def test_a_translation_is_cut_where_it_is_asked_to(tasks: dict[str, RowTask]) -> None:
    task = tasks["slow translation"]
    limits = (3, 12, 1, 7, 5)
    rows = [row_of(task, text, limit) for text, limit in zip(TEXTS, limits, strict=True)]
    together = compute(task, rows)
    assert tuple(map(len, together)) == limits
    assert together == [compute(task, [row])[0] for row in rows]


def test_a_translation_ends_when_nobody_waits_for_it(tasks: dict[str, RowTask]) -> None:
    task = tasks["slow translation"]
    rows = [row_of(task, text, 1400) for text in TEXTS[:2]]
    asked = 0

    def gone() -> list[bool]:
        nonlocal asked
        asked += 1
        return [True, asked > 5]

    with torch.inference_mode():
        task.compute(rows, gone)
    assert asked == 6


def test_answers_are_those_of_the_training(tasks: dict[str, RowTask], row_artifacts: dict[str, Path]) -> None:
    name = "question answering"
    judging, held_out = judge(name, row_artifacts[name], [question | {"answer": "R"} for question in _with_r()])
    assert len(held_out.rows) > len(_with_r()) + 3  # windows
    expected = judging.answers(tasks[name].model, held_out)  # type: ignore[attr-defined]
    assert [found["answer"] for found in ask(tasks[name], _with_r())] == expected


def _with_r() -> list[dict[str, str]]:
    """The training wants to find its answer in the context."""
    return [question | {"context": question["context"] + " R"} for question in QUESTIONS]


def test_places_and_scores_of_answers(tasks: dict[str, RowTask]) -> None:
    task = tasks["question answering"]
    for question in QUESTIONS:
        found = ask(task, question, top_k=100)
        assert found[0] == ask(task, question)
        assert [answer["score"] for answer in found] == sorted((answer["score"] for answer in found), reverse=True)
        assert len({(answer["start"], answer["end"]) for answer in found}) == len(found)
        assert sum(answer["score"] for answer in found) <= 1 + 1e-6
        for answer in found:
            assert answer["answer"] == question["context"][answer["start"] : answer["end"]].strip()


def test_the_score_of_an_answer_is_the_product_of_two_probabilities(tasks: dict[str, RowTask]) -> None:
    task = tasks["question answering"]
    question = {"question": "what is it?", "context": TEXTS[1]}
    asked = parse(task.request, json.dumps({"inputs": question}).encode())
    (row,) = task.encode(asked)
    starts, ends = compute(task, [row])[0]
    assert isinstance(row, Window)
    inside = row.inside
    best = max(
        (starts[first] + ends[last]).item()
        for first in range(len(inside))
        for last in range(first, min(first + 30, len(inside)))
        if inside[first] and inside[last]
    )
    expected = math.exp(best - starts[inside].logsumexp(0) - ends[inside].logsumexp(0))
    assert ask(task, question)["score"] == pytest.approx(expected, abs=1e-6)


def test_an_answer_has_no_more_tokens_than_wanted(tasks: dict[str, RowTask]) -> None:
    task = tasks["question answering"]
    single = ask(task, QUESTIONS[1], top_k=100, max_answer_len=1)
    assert all(len(task.tokenizer.encode(answer["answer"], add_special_tokens=False).ids) <= 1 for answer in single)
    assert any(len(answer["answer"].split()) > 1 for answer in ask(task, QUESTIONS[1], top_k=100))


def inputs_of(task: RowTask) -> list[Any]:
    return QUESTIONS if task.loaded.task == "question-answering" else TEXTS


@pytest.mark.parametrize("name", ROW_TASKS)
def test_a_row_has_the_same_result_in_a_batch_as_alone(tasks: dict[str, RowTask], name: str) -> None:
    task = tasks[name]
    parameters = {"generate_parameters": {"max_new_tokens": 30}} if "translation" in name else {}
    asked = parse(task.request, json.dumps({"inputs": inputs_of(task), "parameters": parameters}).encode())
    rows = task.encode(asked)
    assert len({len(row.ids) for row in rows}) > 2
    together = compute(task, rows)
    for row, result in zip(rows, together, strict=True):
        (alone,) = compute(task, [row])
        torch.testing.assert_close(torch.as_tensor(result), torch.as_tensor(alone), atol=1e-5, rtol=0)


def test_a_text_may_fill_the_context_to_the_last_token(tasks: dict[str, RowTask]) -> None:
    for name in ("transformer classifier", "translation"):
        specials = len(tasks[name].tokenizer.encode("").ids)
        assert ask(tasks[name], "#" * (CONTEXT - specials))


def test_the_context_is_the_one_of_the_training(row_artifacts: dict[str, Path], tmp_path: Path) -> None:
    """A model that could read more has learned from no longer texts, and its windows are those."""
    folder = tmp_path / "artifact"
    folder.symlink_to(row_artifacts["question answering"])
    assert load(folder, "n", "1").loaded.context_length == CONTEXT
    copied = tmp_path / "copy"
    copied.mkdir()
    for path in row_artifacts["question answering"].iterdir():
        (copied / path.name).write_bytes(path.read_bytes())
    facts = json.loads((copied / "perennial.json").read_text())
    (copied / "perennial.json").write_text(json.dumps(facts | {"contextLength": 20}))
    task = load(copied, "n", "1")
    assert isinstance(task, RowTask)
    asked = parse(task.request, json.dumps({"inputs": QUESTIONS[2] | {"context": LONG}}).encode())
    assert max(len(row.ids) for row in task.encode(asked)) == 20


def names(picked: list[tuple[Job, Row]]) -> list[str]:
    return [chr(row.number) for _, row in picked]


def test_a_short_request_does_not_wait_for_one_of_many_rows(tasks: dict[str, RowTask]) -> None:
    task = tasks["rnn classifier"]
    computation = task.computation(4, Metrics())
    answered: list[str] = []
    long = Job([row_of(task, TEXTS[4], 0)] * 256, deliver=lambda _: answered.append("long"))
    short = Job([row_of(task, "x", 0)], deliver=lambda _: answered.append("short"))
    assert computation.step([long]) == []
    assert computation.step([long, short]) == [short]
    while not computation.step([long]):
        pass
    assert answered == ["short", "long"]
    assert len(long.results) == 256


def test_each_request_gets_a_place_and_the_rest_is_shared() -> None:
    ids = torch.tensor([0])
    long, short = (Job([Row(ids, ord(name)) for name in names], deliver=print) for names in ("abcdef", "xy"))
    assert names(next_rows([long, short], 2)) == ["a", "x"]
    assert names(next_rows([long, short], 3)) == ["a", "x", "b"]
    assert names(next_rows([long, short], 6)) == ["a", "x", "b", "y", "c", "d"]
    long.results = [0] * 5
    assert names(next_rows([long, short], 6)) == ["f", "x", "y"]
    assert names(next_rows([long], 1)) == ["f"]
