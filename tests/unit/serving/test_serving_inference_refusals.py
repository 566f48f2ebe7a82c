"""Bad input for classification, translation and question answering: a 4xx, and a sentence that helps."""

from typing import Any

import httpx
import openai
import pytest
from conftest import NAME, RunningServer
from huggingface_hub.errors import HfHubHTTPError
from row_artifacts import CONTEXT

CLASSIFIER, TRANSLATION, ANSWERS = "rnn classifier", "translation", "question answering"
PAIR = {"question": "where?", "context": "in Oslo"}


def parameters(**given: object) -> dict[str, Any]:
    return {"parameters": given}


def generate(**given: object) -> dict[str, Any]:
    return {"parameters": {"generate_parameters": given}}


GENERATE = "parameters.generate_parameters"
# what: (server, changed fields, param, part of the message)
REFUSED: dict[str, tuple[str, dict[str, Any], str | None, str]] = {
    "no inputs": (CLASSIFIER, {"inputs": None}, "inputs", "missing"),
    "an empty text": (CLASSIFIER, {"inputs": ""}, "inputs", "the text is empty"),
    "spaces": (TRANSLATION, {"inputs": " \n\t"}, "inputs", "the text is empty"),
    "an empty text among others": (CLASSIFIER, {"inputs": ["a", ""]}, "inputs.1", "the text is empty"),
    "an empty list": (CLASSIFIER, {"inputs": []}, "inputs", "at least 1 item"),
    "a long list": (CLASSIFIER, {"inputs": ["a"] * 257}, "inputs", "at most 256 items"),
    "a number": (CLASSIFIER, {"inputs": 5}, "inputs", "valid string"),
    "a number among texts": (CLASSIFIER, {"inputs": ["a", 5]}, "inputs.1", "valid string"),
    "a pair of texts": (CLASSIFIER, {"inputs": {"text": "a", "text_pair": "b"}}, "inputs", "valid string"),
    "a question for a classifier": (CLASSIFIER, {"inputs": PAIR}, "inputs", "valid string"),
    "a field of another server": (CLASSIFIER, {"options": {"wait_for_model": True}}, "options", "leave it out"),
    "a model's name": (CLASSIFIER, {"model": NAME}, "model", "leave it out"),
    "parameters that are none": (CLASSIFIER, {"parameters": [1]}, "parameters", "valid dictionary"),
    "an unknown parameter": (CLASSIFIER, parameters(truncation=True), "parameters.truncation", "leave it out"),
    "no label wanted": (CLASSIFIER, parameters(top_k=0), "parameters.top_k", "greater than or equal to 1"),
    "a number as text": (CLASSIFIER, parameters(top_k="1"), "parameters.top_k", "valid integer"),
    "a truth as number": (CLASSIFIER, parameters(top_k=True), "parameters.top_k", "valid integer"),
    "an unknown function": (
        CLASSIFIER,
        parameters(function_to_apply="tanh"),
        "parameters.function_to_apply",
        "'softmax'",
    ),
    "a text beyond the context": (
        CLASSIFIER,
        {"inputs": "#" * CONTEXT},
        "inputs",
        f"{CONTEXT + 2} tokens, and at most {CONTEXT}",
    ),
    "one of the texts beyond the context": (
        CLASSIFIER,
        {"inputs": ["a", "#" * 999]},
        "inputs.1",
        f"1001 tokens, and at most {CONTEXT}",
    ),
    "a source beyond the context": (
        TRANSLATION,
        {"inputs": "#" * CONTEXT},
        "inputs",
        f"{CONTEXT + 1} tokens, and at most {CONTEXT}",
    ),
    "languages": (TRANSLATION, parameters(src_lang="en", tgt_lang="fr"), "parameters.src_lang", "leave it out"),
    "a cut source": (TRANSLATION, parameters(truncation="longest_first"), "parameters.truncation", "do_not_truncate"),
    "other spaces": (
        TRANSLATION,
        parameters(clean_up_tokenization_spaces=True),
        "parameters.clean_up_tokenization_spaces",
        "False",
    ),
    "a beam": (TRANSLATION, generate(num_beams=4), f"{GENERATE}.num_beams", "should be 1"),
    "a sample": (TRANSLATION, generate(do_sample=True), f"{GENERATE}.do_sample", "should be False"),
    "a temperature": (TRANSLATION, generate(temperature=0.5), f"{GENERATE}.temperature", "leave it out"),
    "no token": (TRANSLATION, generate(max_new_tokens=0), f"{GENERATE}.max_new_tokens", "greater than or equal to 1"),
    "too many tokens": (
        TRANSLATION,
        generate(max_new_tokens=CONTEXT + 1),
        f"{GENERATE}.max_new_tokens",
        f"at most {CONTEXT} tokens",
    ),
    "a text for questions": (ANSWERS, {"inputs": "where?"}, "inputs", 'must be {"question"'),
    "a text among questions": (ANSWERS, {"inputs": [PAIR, "where?"]}, "inputs.1", 'must be {"question"'),
    "no question": (ANSWERS, {"inputs": {"context": "in Oslo"}}, "inputs.question", "missing"),
    "no context": (ANSWERS, {"inputs": {"question": "where?"}}, "inputs.context", "missing"),
    "no context for one of them": (ANSWERS, {"inputs": [PAIR, {"question": "a"}]}, "inputs.1.context", "missing"),
    "an empty question": (ANSWERS, {"inputs": PAIR | {"question": ""}}, "inputs.question", "the text is empty"),
    "an empty context": (ANSWERS, {"inputs": PAIR | {"context": " "}}, "inputs.context", "the text is empty"),
    "an answer given": (ANSWERS, {"inputs": PAIR | {"answer": "Oslo"}}, "inputs.answer", "leave it out"),
    "a question beyond half of a window": (
        ANSWERS,
        {"inputs": PAIR | {"question": "#" * 30}},
        "inputs.question",
        f"30 tokens, and at most {CONTEXT // 2}",
    ),
    "contexts beyond all windows": (
        ANSWERS,
        {"inputs": [PAIR, PAIR | {"context": "#" * 12_000}]},
        "inputs",
        "more than 256 windows of 48 tokens",
    ),
    "a context far beyond all windows": (
        ANSWERS,
        {"inputs": PAIR | {"context": "#" * 8_000_000}},
        "inputs.context",
        "more than 30000 tokens, and at most 12288",
    ),
    "a question far beyond a window": (
        ANSWERS,
        {"inputs": PAIR | {"question": "#" * 8_000_000}},
        "inputs.question",
        f"more than 10000 tokens, and at most {CONTEXT // 2}",
    ),
    "a text far beyond the context": (
        CLASSIFIER,
        {"inputs": ["a", "#" * 8_000_000]},
        "inputs.1",
        f"more than 10000 tokens, and at most {CONTEXT}",
    ),
    "many texts beyond the context": (
        TRANSLATION,
        {"inputs": ["#" * 8_000] * 256},
        "inputs.0",
        f"8001 tokens, and at most {CONTEXT}",
    ),
    "no answer wanted": (ANSWERS, parameters(top_k=0), "parameters.top_k", "greater than or equal to 1"),
    "all answers wanted": (ANSWERS, parameters(top_k=101), "parameters.top_k", "less than or equal to 100"),
    "an answer of no length": (ANSWERS, parameters(max_answer_len=0), "parameters.max_answer_len", "greater than"),
    "whole words": (ANSWERS, parameters(align_to_words=True), "parameters.align_to_words", "False"),
    "no answer allowed": (
        ANSWERS,
        parameters(handle_impossible_answer=True),
        "parameters.handle_impossible_answer",
        "False",
    ),
    "another overlap": (ANSWERS, parameters(doc_stride=8), "parameters.doc_stride", "leave it out"),
    "other windows": (ANSWERS, parameters(max_seq_len=8), "parameters.max_seq_len", "leave it out"),
    "a cut question": (ANSWERS, parameters(max_question_len=8), "parameters.max_question_len", "leave it out"),
}


@pytest.mark.parametrize(("name", "change", "param", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(
    row_servers: dict[str, RunningServer], name: str, change: dict[str, Any], param: str | None, says: str
) -> None:
    given = {"inputs": PAIR if name == ANSWERS else "a"}
    answer = httpx.post(row_servers[name].url, json=given | change)
    error = answer.json()
    assert (answer.status_code, error["param"]) == (400, param)
    assert says in error["error"]
    assert error["type"] == "invalid_request_error"


BODIES = {
    "nothing": b"",
    "half": b'{"inputs": "a',
    "not UTF-8": b'{"inputs": "\xff"}',
    "half a character": b'{"inputs": "\\ud800"}',
    "not a number": b'{"inputs": "a", "parameters": {"top_k": NaN}}',
    "a list": b'["a"]',
    "very deep": b"[" * 100_000,
    "very deep fields": b'{"inputs":' * 5_000,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_body_that_is_no_request(row_servers: dict[str, RunningServer], body: bytes) -> None:
    answer = httpx.post(row_servers[CLASSIFIER].url, content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_a_body_that_is_too_large(row_servers: dict[str, RunningServer]) -> None:
    answer = httpx.post(row_servers[CLASSIFIER].url, content=b" " * (9 * 1024 * 1024))
    assert answer.status_code == 413
    assert "larger than" in answer.json()["error"]


def test_the_official_client_shows_the_sentence(row_servers: dict[str, RunningServer]) -> None:
    with pytest.raises(HfHubHTTPError, match=f"50 tokens, and at most {CONTEXT} are read; shorten it"):
        row_servers[CLASSIFIER].inference.text_classification("#" * CONTEXT)


@pytest.mark.parametrize("name", [CLASSIFIER, TRANSLATION, ANSWERS])
def test_openais_routes_say_what_the_model_is_for(row_servers: dict[str, RunningServer], name: str) -> None:
    client = row_servers[name].client
    task = row_servers[name].get("/").json()["task"]
    says = f"'{NAME}' is a model for {task}; ask POST / with"
    with pytest.raises(openai.BadRequestError, match=says) as refused:
        client.completions.create(model=NAME, prompt="x")
    assert refused.value.code == "wrong_task"
    with pytest.raises(openai.BadRequestError, match=says):
        client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "x"}])


def test_a_model_that_generates_text_says_how_to_ask_it(server: RunningServer) -> None:
    with pytest.raises(HfHubHTTPError, match=f"'{NAME}' is a model for text-generation; ask POST /v1/completions"):
        server.inference.translation("x")
    answer = httpx.post(server.url, content=b"anything")
    assert (answer.status_code, answer.json()["code"]) == (400, "wrong_task")
    assert server.get("/").json()["task"] == "text-generation"


@pytest.mark.parametrize(("method", "path", "status"), [("PUT", "/", 405), ("GET", "/v2", 404)])
def test_a_route_that_is_none(row_servers: dict[str, RunningServer], method: str, path: str, status: int) -> None:
    answer = httpx.request(method, row_servers[CLASSIFIER].url + path)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_the_servers_are_well_after_all_of_it(row_servers: dict[str, RunningServer]) -> None:
    for name in (CLASSIFIER, TRANSLATION, ANSWERS):
        assert "Traceback" not in row_servers[name].log.read_text()
        assert row_servers[name].get("/health/ready").status_code == 200
