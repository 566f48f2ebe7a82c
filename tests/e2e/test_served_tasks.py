"""Models for sentiment, translation and questions: trained and served in real pods, asked by Hugging Face's client."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import openai
import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError

from perennial_testing.pods.examples import assert_beats_baseline
from perennial_testing.pods.manifests import SMALL_RESOURCES
from perennial_testing.pods.waits import apply, service_url
from perennial_testing.training.task_corpora import ARCHITECTURE, HYPERPARAMETERS, json_lines
from playground import language_models as lm
from playground.commands import Kubectl


@dataclass(frozen=True)
class Learned:
    """What is learned from the small corpus of a task, and how; `make test-long` trains the examples as they stand."""

    task: str
    family: dict[str, Any]
    steps: int

    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in json_lines(self.task).splitlines()]


TRANSFORMER = {"family": "transformer", "layers": 1, "heads": 2}
MODELS = {
    "reviews": Learned("sentiment-analysis", {"family": "rnn", "layers": 1}, steps=60),
    "pairs": Learned("translation", TRANSFORMER, steps=250),
    "questions": Learned("question-answering", TRANSFORMER, steps=120),
}


def language_model(name: str) -> dict[str, Any]:
    learned = MODELS[name]
    spec = {
        "model": {"task": learned.task, "architecture": learned.family | ARCHITECTURE},
        "data": {
            "train": [{"uri": f"configmap://{name}/rows.jsonl"}],
            "validation": {"fraction": 0.2},
            "preprocessing": {"minCharacters": 1},
        },
        "training": {
            "hyperparameters": HYPERPARAMETERS | {"maxSteps": learned.steps},
            "evaluateEverySteps": learned.steps // 2,
            "compute": {"resources": SMALL_RESOURCES},
        },
        "storage": {"uri": "pvc://models"},
        "deployment": {"runtime": {"resources": SMALL_RESOURCES}},
    }
    head = {"apiVersion": "perennial.dev/v1alpha1", "kind": "LanguageModel", "metadata": {"name": name}}
    return head | {"spec": spec}


@pytest.fixture(scope="module")
def kubectl(new_namespace: Callable[[str], Kubectl]) -> Kubectl:
    """A namespace in which the three are in service; they are trained side by side."""
    client = new_namespace("tasks")
    for name, learned in MODELS.items():
        data = {"rows.jsonl": json_lines(learned.task)}
        apply(client, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
        apply(client, language_model(name))
    for name in MODELS:
        assert lm.follow(client, name, 1)["state"] == "Accepted"
    for name in MODELS:
        lm.wait_ready(client, name, 1)
    return client


@pytest.mark.parametrize("name", MODELS)
def test_it_has_learned_more_than_its_baseline(kubectl: Kubectl, name: str) -> None:
    result = kubectl.get("trainingjob", f"{name}-v1")["status"]["result"]
    assert_beats_baseline(MODELS[name].task, result)


def test_sentiment_analysis_by_a_recurrent_network(kubectl: Kubectl) -> None:
    rows = MODELS["reviews"].rows()[:40]
    with service_url(kubectl, "reviews") as url:
        client = InferenceClient(model=url)
        found = client.text_classification(rows[0]["text"])
        assert sorted(element.label for element in found) == ["negative", "positive"]
        assert sum(element.score for element in found) == pytest.approx(1)
        body = {"inputs": [example["text"] for example in rows], "parameters": {"top_k": 1}}
        answer = httpx.post(url, json=body, timeout=60)
        assert answer.headers["x-perennial-version"] == "1"
    right = sum(best["label"] == example["label"] for (best,), example in zip(answer.json(), rows, strict=True))
    assert right / len(rows) > 0.8


def test_translation(kubectl: Kubectl) -> None:
    rows = MODELS["pairs"].rows()
    words = {word for example in rows for word in example["target"].split()}
    with service_url(kubectl, "pairs") as url:
        client = InferenceClient(model=url)
        said = [client.translation(example["source"]).translation_text.split() for example in rows[:10]]
        short = client.translation(rows[0]["source"], generate_parameters={"max_new_tokens": 2}).translation_text
    assert all(said)
    known = [word for text in said for word in text if word in words]
    assert len(known) > 0.9 * sum(map(len, said)), said
    assert len(short) < len(" ".join(said[0]))


def test_question_answering(kubectl: Kubectl) -> None:
    rows = MODELS["questions"].rows()[:10]
    with service_url(kubectl, "questions") as url:
        client = InferenceClient(model=url)
        for example in rows:
            asked = {"question": example["question"], "context": example["context"]}
            best = client.question_answering(**asked)
            assert best.answer == example["context"][best.start : best.end]
            assert 0 < best.score <= 1
            several = client.question_answering(**asked, top_k=3)
            assert (several[0].start, several[0].end) == (best.start, best.end)
            assert len(several) == 3
        long = " ".join(example["context"] for example in rows)
        assert client.question_answering(question=rows[0]["question"], context=long).answer in long


def test_what_is_not_understood_is_refused_with_a_sentence(kubectl: Kubectl) -> None:
    with service_url(kubectl, "reviews") as url:
        with pytest.raises(HfHubHTTPError, match=r"\d+ tokens, and the maximum is 48"):
            InferenceClient(model=url).text_classification("superb " * 100)
        with pytest.raises(openai.BadRequestError, match="a model for sentiment-analysis; call POST /"):
            openai.OpenAI(base_url=f"{url}/v1", api_key="none").completions.create(model="reviews", prompt="x")


def test_the_status_says_where_it_answers(kubectl: Kubectl) -> None:
    for name in MODELS:
        status = kubectl.get("languagemodel", name)["status"]
        assert status["url"] == f"http://{name}.{kubectl.namespace}.svc"
        with service_url(kubectl, name) as url:
            card = httpx.get(url).json()
        assert (card["id"], card["version"], card["task"]) == (name, "1", MODELS[name].task)
