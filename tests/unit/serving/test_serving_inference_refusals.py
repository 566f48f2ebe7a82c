"""Bad input for classification, translation and question answering: a 4xx, and a message that helps."""

from dataclasses import dataclass
from typing import Any

import httpx
import openai
import pytest
from huggingface_hub.errors import HfHubHTTPError

from perennial_testing.serving.artifacts import NAME
from perennial_testing.serving.inference_artifacts import CONTEXT
from perennial_testing.serving.process import RunningServer, Servers

CLASSIFIER, TRANSLATION, ANSWERS = "rnn classifier", "translation", "question answering"
PAIR = {"question": "where?", "context": "in Oslo"}


def parameters(**values: object) -> dict[str, Any]:
    return {"parameters": values}


def generate(**values: object) -> dict[str, Any]:
    return {"parameters": {"generate_parameters": values}}


GENERATE = "parameters.generate_parameters"


@dataclass(frozen=True)
class Refused:
    """A request with changed fields to a server, and the error that it gets."""

    server: str
    changes: dict[str, Any]
    param: str
    message: str


REFUSED = {
    "no inputs": Refused(CLASSIFIER, {"inputs": None}, param="inputs", message="missing"),
    "an empty text": Refused(CLASSIFIER, {"inputs": ""}, param="inputs", message="the text is empty"),
    "spaces": Refused(TRANSLATION, {"inputs": " \n\t"}, param="inputs", message="the text is empty"),
    "an empty text among others": Refused(
        CLASSIFIER, {"inputs": ["a", ""]}, param="inputs.1", message="the text is empty"
    ),
    "an empty list": Refused(CLASSIFIER, {"inputs": []}, param="inputs", message="at least 1 item"),
    "a long list": Refused(CLASSIFIER, {"inputs": ["a"] * 257}, param="inputs", message="at most 256 items"),
    "a number": Refused(CLASSIFIER, {"inputs": 5}, param="inputs", message="valid string"),
    "a number among texts": Refused(CLASSIFIER, {"inputs": ["a", 5]}, param="inputs.1", message="valid string"),
    "a pair of texts": Refused(
        CLASSIFIER, {"inputs": {"text": "a", "text_pair": "b"}}, param="inputs", message="valid string"
    ),
    "a question for a classifier": Refused(CLASSIFIER, {"inputs": PAIR}, param="inputs", message="valid string"),
    "a field of another server": Refused(
        CLASSIFIER, {"options": {"wait_for_model": True}}, param="options", message="leave it out"
    ),
    "a model's name": Refused(CLASSIFIER, {"model": NAME}, param="model", message="leave it out"),
    "parameters that are none": Refused(
        CLASSIFIER, {"parameters": [1]}, param="parameters", message="valid dictionary"
    ),
    "an unknown parameter": Refused(
        CLASSIFIER, parameters(truncation=True), param="parameters.truncation", message="leave it out"
    ),
    "no label wanted": Refused(
        CLASSIFIER, parameters(top_k=0), param="parameters.top_k", message="greater than or equal to 1"
    ),
    "a number as text": Refused(CLASSIFIER, parameters(top_k="1"), param="parameters.top_k", message="valid integer"),
    "a truth as number": Refused(CLASSIFIER, parameters(top_k=True), param="parameters.top_k", message="valid integer"),
    "an unknown function": Refused(
        CLASSIFIER, parameters(function_to_apply="tanh"), param="parameters.function_to_apply", message="'softmax'"
    ),
    "a text beyond the context": Refused(
        CLASSIFIER,
        {"inputs": "#" * CONTEXT},
        param="inputs",
        message=f"{CONTEXT + 2} tokens, and the maximum is {CONTEXT}",
    ),
    "one of the texts beyond the context": Refused(
        CLASSIFIER, {"inputs": ["a", "#" * 999]}, param="inputs.1", message=f"1001 tokens, and the maximum is {CONTEXT}"
    ),
    "a source beyond the context": Refused(
        TRANSLATION,
        {"inputs": "#" * CONTEXT},
        param="inputs",
        message=f"{CONTEXT + 1} tokens, and the maximum is {CONTEXT}",
    ),
    "languages": Refused(
        TRANSLATION, parameters(src_lang="en", tgt_lang="fr"), param="parameters.src_lang", message="leave it out"
    ),
    "a cut source": Refused(
        TRANSLATION, parameters(truncation="longest_first"), param="parameters.truncation", message="do_not_truncate"
    ),
    "other spaces": Refused(
        TRANSLATION,
        parameters(clean_up_tokenization_spaces=True),
        param="parameters.clean_up_tokenization_spaces",
        message="False",
    ),
    "a beam": Refused(TRANSLATION, generate(num_beams=4), param=f"{GENERATE}.num_beams", message="should be 1"),
    "a sample": Refused(
        TRANSLATION, generate(do_sample=True), param=f"{GENERATE}.do_sample", message="should be False"
    ),
    "a temperature": Refused(
        TRANSLATION, generate(temperature=0.5), param=f"{GENERATE}.temperature", message="leave it out"
    ),
    "no token": Refused(
        TRANSLATION,
        generate(max_new_tokens=0),
        param=f"{GENERATE}.max_new_tokens",
        message="greater than or equal to 1",
    ),
    "too many tokens": Refused(
        TRANSLATION,
        generate(max_new_tokens=CONTEXT + 1),
        param=f"{GENERATE}.max_new_tokens",
        message=f"at most {CONTEXT} tokens",
    ),
    "a text for questions": Refused(ANSWERS, {"inputs": "where?"}, param="inputs", message='must be {"question"'),
    "a text among questions": Refused(
        ANSWERS, {"inputs": [PAIR, "where?"]}, param="inputs.1", message='must be {"question"'
    ),
    "no question": Refused(ANSWERS, {"inputs": {"context": "in Oslo"}}, param="inputs.question", message="missing"),
    "no context": Refused(ANSWERS, {"inputs": {"question": "where?"}}, param="inputs.context", message="missing"),
    "no context for one of them": Refused(
        ANSWERS, {"inputs": [PAIR, {"question": "a"}]}, param="inputs.1.context", message="missing"
    ),
    "an empty question": Refused(
        ANSWERS, {"inputs": PAIR | {"question": ""}}, param="inputs.question", message="the text is empty"
    ),
    "an empty context": Refused(
        ANSWERS, {"inputs": PAIR | {"context": " "}}, param="inputs.context", message="the text is empty"
    ),
    "an answer given": Refused(
        ANSWERS, {"inputs": PAIR | {"answer": "Oslo"}}, param="inputs.answer", message="leave it out"
    ),
    "a question beyond half of a window": Refused(
        ANSWERS,
        {"inputs": PAIR | {"question": "#" * 30}},
        param="inputs.question",
        message=f"30 tokens, and the maximum is {CONTEXT // 2}",
    ),
    "contexts beyond all windows": Refused(
        ANSWERS,
        {"inputs": [PAIR, PAIR | {"context": "#" * 12_000}]},
        param="inputs",
        message="more than 256 windows of 48 tokens",
    ),
    "a context far beyond all windows": Refused(
        ANSWERS,
        {"inputs": PAIR | {"context": "#" * 8_000_000}},
        param="inputs.context",
        message="more than 30000 tokens, and the maximum is 12288",
    ),
    "a question far beyond a window": Refused(
        ANSWERS,
        {"inputs": PAIR | {"question": "#" * 8_000_000}},
        param="inputs.question",
        message=f"more than 10000 tokens, and the maximum is {CONTEXT // 2}",
    ),
    "a text far beyond the context": Refused(
        CLASSIFIER,
        {"inputs": ["a", "#" * 8_000_000]},
        param="inputs.1",
        message=f"more than 10000 tokens, and the maximum is {CONTEXT}",
    ),
    "many texts beyond the context": Refused(
        TRANSLATION,
        {"inputs": ["#" * 8_000] * 256},
        param="inputs.0",
        message=f"8001 tokens, and the maximum is {CONTEXT}",
    ),
    "no answer wanted": Refused(
        ANSWERS, parameters(top_k=0), param="parameters.top_k", message="greater than or equal to 1"
    ),
    "all answers wanted": Refused(
        ANSWERS, parameters(top_k=101), param="parameters.top_k", message="less than or equal to 100"
    ),
    "an answer of no length": Refused(
        ANSWERS, parameters(max_answer_len=0), param="parameters.max_answer_len", message="greater than"
    ),
    "whole words": Refused(
        ANSWERS, parameters(align_to_words=True), param="parameters.align_to_words", message="False"
    ),
    "no answer allowed": Refused(
        ANSWERS, parameters(handle_impossible_answer=True), param="parameters.handle_impossible_answer", message="False"
    ),
    "another overlap": Refused(
        ANSWERS, parameters(doc_stride=8), param="parameters.doc_stride", message="leave it out"
    ),
    "other windows": Refused(
        ANSWERS, parameters(max_seq_len=8), param="parameters.max_seq_len", message="leave it out"
    ),
    "a cut question": Refused(
        ANSWERS, parameters(max_question_len=8), param="parameters.max_question_len", message="leave it out"
    ),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_refused(inference_servers: Servers, case: Refused) -> None:
    request = {"inputs": PAIR if case.server == ANSWERS else "a"}
    answer = httpx.post(inference_servers[case.server].url, json=request | case.changes)
    error = answer.json()
    assert (answer.status_code, error["param"]) == (400, case.param)
    assert case.message in error["error"]
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
def test_a_body_that_is_no_request(inference_servers: Servers, body: bytes) -> None:
    answer = httpx.post(inference_servers[CLASSIFIER].url, content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_a_body_that_is_too_large(inference_servers: Servers) -> None:
    answer = httpx.post(inference_servers[CLASSIFIER].url, content=b" " * (9 * 1024 * 1024))
    assert answer.status_code == 413
    assert "larger than" in answer.json()["error"]


def test_the_official_client_shows_the_sentence(inference_servers: Servers) -> None:
    with pytest.raises(HfHubHTTPError, match=f"50 tokens, and the maximum is {CONTEXT}; shorten it"):
        inference_servers[CLASSIFIER].inference.text_classification("#" * CONTEXT)


@pytest.mark.parametrize("name", [CLASSIFIER, TRANSLATION, ANSWERS])
def test_openais_routes_say_what_the_model_is_for(inference_servers: Servers, name: str) -> None:
    client = inference_servers[name].client
    task = inference_servers[name].get("/").json()["task"]
    says = f"'{NAME}' is a model for {task}; call POST / with"
    with pytest.raises(openai.BadRequestError, match=says) as refused:
        client.completions.create(model=NAME, prompt="x")
    assert refused.value.code == "wrong_task"
    with pytest.raises(openai.BadRequestError, match=says):
        client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "x"}])


def test_a_model_that_generates_text_says_how_to_ask_it(server: RunningServer) -> None:
    with pytest.raises(HfHubHTTPError, match=f"'{NAME}' is a model for text-generation; call POST /v1/completions"):
        server.inference.translation("x")
    answer = httpx.post(server.url, content=b"anything")
    assert (answer.status_code, answer.json()["code"]) == (400, "wrong_task")
    assert server.get("/").json()["task"] == "text-generation"


@pytest.mark.parametrize(("method", "path", "status"), [("PUT", "/", 405), ("GET", "/v2", 404)])
def test_a_route_that_is_none(inference_servers: Servers, method: str, path: str, status: int) -> None:
    answer = httpx.request(method, inference_servers[CLASSIFIER].url + path)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_the_servers_are_well_after_all_of_it(inference_servers: Servers) -> None:
    for name in (CLASSIFIER, TRANSLATION, ANSWERS):
        assert "Traceback" not in inference_servers[name].log.read_text()
        assert inference_servers[name].get("/health/ready").status_code == 200
