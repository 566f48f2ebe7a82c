"""Classification, translation and question answering as Hugging Face's own client sees them, against real servers."""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from huggingface_hub.errors import HfHubHTTPError

from perennial_contract import manifest
from perennial_testing.serving.artifacts import NAME, VERSION, SharedArtifacts
from perennial_testing.serving.inference_artifacts import (
    CLASSIFIERS,
    CONTEXT,
    INFERENCE_ARTIFACTS,
    LABELS,
    QUESTIONS,
    TEXTS,
)
from perennial_testing.serving.process import RunningServer, Servers, wait_until

ENDLESS = {"inputs": "x"}  # to the slow translation
LONG = {"inputs": "x", "parameters": {"generate_parameters": {"max_new_tokens": 800}}}
BRIEF = {"inputs": "x", "parameters": {"generate_parameters": {"max_new_tokens": 2}}}


def post(server: RunningServer, inputs: Any, **parameters: Any) -> httpx.Response:
    return httpx.post(server.url, json={"inputs": inputs, "parameters": parameters}, timeout=60)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_text_classification(inference_servers: Servers, name: str) -> None:
    client = inference_servers[name].inference
    found = client.text_classification(TEXTS[0])
    assert sorted(element.label for element in found) == LABELS
    assert sum(element.score for element in found) == pytest.approx(1)
    assert client.text_classification(TEXTS[0], top_k=1) == found[:1]
    raw = client.text_classification(TEXTS[0], function_to_apply="none", top_k=2)
    assert [element.label for element in raw] == [element.label for element in found[:2]]
    assert raw[0].score != pytest.approx(found[0].score)


def test_translation(inference_servers: Servers) -> None:
    client = inference_servers["slow translation"].inference
    found = client.translation(TEXTS[0], generate_parameters={"max_new_tokens": 20}).translation_text
    start = client.translation(TEXTS[0], generate_parameters={"max_new_tokens": 5}).translation_text
    assert found.startswith(start)
    assert 0 < len(start) < len(found)
    assert inference_servers["translation"].inference.translation(TEXTS[1]).translation_text


def test_question_answering(inference_servers: Servers) -> None:
    client = inference_servers["question answering"].inference
    for question in QUESTIONS:
        best = client.question_answering(**question)
        assert best.answer == question["context"][best.start : best.end]
        several = client.question_answering(**question, top_k=3, max_answer_len=4)
        assert len(several) == 3 or question["context"] == "Rome"


@pytest.mark.parametrize("name", [name for name in INFERENCE_ARTIFACTS if name != "slow translation"])
def test_a_list_answers_a_list_and_requests_at_the_same_time_change_nothing(
    inference_servers: Servers, name: str
) -> None:
    server = inference_servers[name]
    distinct: list[Any] = QUESTIONS if name == "question answering" else TEXTS
    inputs, alone = distinct * 3, [post(server, [one]).json()[0] for one in distinct] * 3
    with ThreadPoolExecutor(len(inputs)) as pool:
        among_others = list(pool.map(lambda one: post(server, [one]).json()[0], inputs))
    together = post(server, inputs).json()
    for found in (among_others, together):
        assert_same(found, alone)
    single = post(server, inputs[0]).json()
    assert_same(single if name == "question answering" else single[0], alone[0])


def assert_same(found: Any, expected: Any) -> None:
    """The same JSON, but for numbers beyond the fifth place."""
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    elif isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key in expected:
            assert_same(found[key], expected[key])
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, abs=1e-5)
    else:
        assert found == expected


def test_nulls_and_what_asks_for_nothing_are_accepted(inference_servers: Servers) -> None:
    neutral = {
        "rnn classifier": {"top_k": None, "function_to_apply": None},
        "translation": {
            "truncation": "do_not_truncate",
            "clean_up_tokenization_spaces": False,
            "generate_parameters": {"do_sample": False, "num_beams": 1, "max_new_tokens": None},
            "src_lang": None,
        },
        "question answering": {"align_to_words": False, "handle_impossible_answer": False, "doc_stride": None},
    }
    for name, parameters in neutral.items():
        given = QUESTIONS[0] if name == "question answering" else TEXTS[0]
        answer = post(inference_servers[name], given, **parameters)
        assert answer.status_code == 200, answer.text
        without = httpx.post(inference_servers[name].url, json={"inputs": given, "parameters": None})
        assert_same(answer.json(), without.json())


@pytest.mark.parametrize("name", INFERENCE_ARTIFACTS)
def test_the_server_tells_what_its_model_is_for(
    inference_servers: Servers, artifacts: SharedArtifacts, name: str
) -> None:
    server = inference_servers[name]
    card = server.get("/").json()
    assert (card["id"], card["task"], card["version"]) == (NAME, INFERENCE_ARTIFACTS[name].task, VERSION)
    assert card["max_model_len"] == INFERENCE_ARTIFACTS[name].context
    assert card["digest"] == manifest.digest_of(artifacts[name])
    assert "POST /" in card.pop("route")
    assert server.get("/v1/models").json() == {"object": "list", "data": [card]}
    assert server.get(f"/v1/models/{NAME}").json() == card


def test_every_answer_says_the_version(inference_servers: Servers) -> None:
    server = inference_servers["rnn classifier"]
    for answer in (post(server, "x"), post(server, ""), server.get("/"), server.get("/health/ready")):
        assert answer.headers["x-perennial-version"] == VERSION


def test_metrics_count_what_happened(inference_servers: Servers) -> None:
    server = inference_servers["slow translation"]

    def counts() -> list[float]:
        return [
            server.metric("perennial_requests_total", route="/", code="200"),
            server.metric("perennial_requests_total", route="/", code="400"),
            server.metric("perennial_request_seconds_count"),
            server.metric("perennial_prompt_tokens_total"),
            server.metric("perennial_generated_tokens_total"),
        ]

    before = counts()
    post(server, ["#", "##"], generate_parameters={"max_new_tokens": 7})
    post(server, [])
    assert [after - was for after, was in zip(counts(), before, strict=True)] == [1, 1, 2, 5, 14]
    assert server.metric("perennial_model_info", model=NAME, version=VERSION) == 1


def test_the_log_has_nothing_of_what_was_said(inference_servers: Servers) -> None:
    server = inference_servers["rnn classifier"]
    post(server, "unheard-of secret")
    post(server, "unheard-of secret " * CONTEXT)
    wait_until(lambda: "POST '/' 400" in server.log.read_text())
    assert "unheard-of" not in server.log.read_text()


@contextmanager
def unanswered(server: RunningServer, body: dict[str, Any]) -> Iterator[None]:
    """A request whose client goes away at the end of the block."""
    content = json.dumps(body).encode()
    url = httpx.URL(server.url)
    with socket.create_connection((url.host, url.port or 80)) as connection:
        head = f"POST / HTTP/1.1\r\nHost: {url.host}\r\nContent-Length: {len(content)}\r\n\r\n"
        connection.sendall(head.encode() + content)
        yield


def queued(server: RunningServer) -> tuple[float, float]:
    return server.metric("perennial_requests_running"), server.metric("perennial_requests_waiting")


def test_a_full_queue_says_when_to_try_again(inference_servers: Servers) -> None:
    narrow = inference_servers["narrow"]
    with ThreadPoolExecutor(1) as pool:
        with unanswered(narrow, ENDLESS):
            wait_until(lambda: queued(narrow) == (1, 0))
            second = pool.submit(httpx.post, narrow.url, json=BRIEF, timeout=60)
            wait_until(lambda: queued(narrow) == (1, 1))
            with pytest.raises(HfHubHTTPError, match="too many requests are waiting") as refused:
                narrow.inference.translation("x")
            assert refused.value.response.status_code == 429
            assert refused.value.response.headers["retry-after"] == "1"
            assert not second.done()
        assert second.result().status_code == 200
    wait_until(lambda: queued(narrow) == (0, 0))


def test_a_client_that_goes_away_frees_its_place_at_once(inference_servers: Servers) -> None:
    narrow = inference_servers["narrow"]
    gone = narrow.metric("perennial_requests_total", code="499")
    tokens = narrow.metric("perennial_generated_tokens_total")
    with unanswered(narrow, ENDLESS):
        wait_until(lambda: queued(narrow) == (1, 0))
    assert httpx.post(narrow.url, json=BRIEF, timeout=60).status_code == 200
    whole = INFERENCE_ARTIFACTS["slow translation"].context
    assert narrow.metric("perennial_generated_tokens_total") - tokens < whole / 2
    assert narrow.metric("perennial_requests_total", code="499") == gone + 1


def test_a_drain_answers_what_was_accepted_and_refuses_nobody(inference_servers: Servers) -> None:
    server = inference_servers["draining"]
    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(httpx.post, server.url, json=LONG, timeout=60) for _ in range(2)]
        wait_until(lambda: queued(server)[0] >= 1)
        server.terminate()
        wait_until(lambda: server.status("/health/ready") == 503)
        late = pool.submit(httpx.post, server.url, json=BRIEF, timeout=60)
        assert server.get("/health/live").status_code == 200
        answers = [future.result() for future in (*running, late)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert answers[2].headers["connection"] == "close"
    assert server.wait(30) == 0


def test_an_answer_that_takes_too_long_is_broken_off_before_the_pod_is_killed(
    inference_servers: Servers,
) -> None:
    server = inference_servers["impatient"]
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(httpx.post, server.url, json={"inputs": ["x"] * 64}, timeout=60) for _ in range(8)]
        wait_until(lambda: queued(server)[0] >= 1)
        server.terminate()
        assert server.wait(10) == 0
        codes = {(answer.result().status_code, answer.result().json()["code"]) for answer in answers}
    assert codes == {(503, "shutting_down")}
