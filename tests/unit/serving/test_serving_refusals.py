"""Bad input, each with what the client sees: never a 500, always OpenAI's shape and a sentence that helps."""

from typing import Any

import httpx
import openai
import pytest
from conftest import CONTEXT, NAME, RunningServer

COMPLETION = {"model": NAME, "prompt": "x", "max_tokens": 2}
CHAT = {"model": NAME, "messages": [{"role": "user", "content": "x"}], "max_tokens": 2}


def chat(**message: object) -> dict[str, Any]:
    return {"messages": [message]}


# what: (route, changed fields, status, param, part of the message)
REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], int, str | None, str]] = {
    "no prompt": (COMPLETION, {"prompt": None}, 400, "prompt", "missing"),
    "an empty prompt": (COMPLETION, {"prompt": ""}, 400, "prompt", "at least one token"),
    "an empty list": (COMPLETION, {"prompt": []}, 400, "prompt", "at least one token"),
    "two prompts": (COMPLETION, {"prompt": ["a", "b"]}, 400, "prompt", "one prompt per request"),
    "a prompt of another kind": (COMPLETION, {"prompt": {"a": 1}}, 400, "prompt", "text or a list of token ids"),
    "mixed token ids": (COMPLETION, {"prompt": [1, 2.5]}, 400, "prompt", "text or a list of token ids"),
    "a token id too high": (COMPLETION, {"prompt": [320]}, 400, "prompt", "from 0 to 319"),
    "a token id too low": (COMPLETION, {"prompt": [-1]}, 400, "prompt", "from 0 to 319"),
    "a prompt beyond the context": (COMPLETION, {"prompt": [7] * CONTEXT}, 400, "prompt", "shorten one of them"),
    "too many tokens wanted": (COMPLETION, {"max_tokens": CONTEXT}, 400, "prompt", "shorten one of them"),
    "no token wanted": (COMPLETION, {"max_tokens": 0}, 400, "max_tokens", "greater than or equal to 1"),
    "tokens as text": (COMPLETION, {"max_tokens": "5"}, 400, "max_tokens", "valid integer"),
    "a negative temperature": (COMPLETION, {"temperature": -1}, 400, "temperature", "greater than or equal to 0"),
    "a temperature too high": (COMPLETION, {"temperature": 2.1}, 400, "temperature", "less than or equal to 2"),
    "top_p of 0": (COMPLETION, {"top_p": 0}, 400, "top_p", "greater than 0"),
    "five stops": (COMPLETION, {"stop": list("abcde")}, 400, "stop", "at most 4"),
    "an empty stop": (COMPLETION, {"stop": ""}, 400, "stop.0", "at least 1 character"),
    "a seed too large": (COMPLETION, {"seed": 2**63}, 400, "seed", ""),
    "several answers": (COMPLETION, {"n": 2}, 400, "n", "not supported"),
    "best of several": (COMPLETION, {"best_of": 3}, 400, "best_of", "not supported"),
    "echo": (COMPLETION, {"echo": True}, 400, "echo", "not supported"),
    "a suffix": (COMPLETION, {"suffix": "end"}, 400, "suffix", "not supported"),
    "log-probabilities, none even": (COMPLETION, {"logprobs": 0}, 400, "logprobs", "not supported"),
    "a penalty": (COMPLETION, {"frequency_penalty": 0.5}, 400, "frequency_penalty", "not supported"),
    "a bias": (COMPLETION, {"logit_bias": {"5": 1}}, 400, "logit_bias", "not supported"),
    "a field of another server": (COMPLETION, {"top_k": 5}, 400, "top_k", "leave it out"),
    "stream options without a stream": (COMPLETION, {"stream_options": {}}, 400, "stream_options", "stream: true"),
    "an unknown model": (COMPLETION, {"model": "gpt-5"}, 404, "model", f"this server has '{NAME}'"),
    "no model": (COMPLETION, {"model": None}, 400, "model", "missing"),
    "no messages": (CHAT, {"messages": []}, 400, "messages", "at least 1 item"),
    "an unknown role": (CHAT, chat(role="tool", content="x"), 400, "messages.0.role", "'user'"),
    "a message without content": (CHAT, chat(role="user"), 400, "messages.0.content", "missing"),
    "a picture": (CHAT, chat(role="user", content=[{"type": "image_url"}]), 400, "messages.0.content", "type text"),
    "text that is none": (
        CHAT,
        chat(role="user", content=[{"type": "text", "text": 1}]),
        400,
        "messages.0.content",
        "",
    ),
    "a name in a message": (CHAT, chat(role="user", content="x", name="n"), 400, "messages.0.name", "leave it out"),
    "tools": (CHAT, {"tools": [{"type": "function"}]}, 400, "tools", "not supported"),
    "JSON wanted": (CHAT, {"response_format": {"type": "json_object"}}, 400, "response_format", "not supported"),
    "two limits": (CHAT, {"max_completion_tokens": 3}, 400, "max_tokens", "not both"),
    "messages beyond the context": (CHAT, chat(role="user", content="x" * CONTEXT), 400, "messages", "shorten"),
}


@pytest.mark.parametrize(("base", "change", "status", "param", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(
    server: RunningServer, base: dict[str, Any], change: dict[str, Any], status: int, param: str | None, says: str
) -> None:
    route = "chat/completions" if base is CHAT else "completions"
    answer = httpx.post(f"{server.url}/v1/{route}", json=base | change)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (status, param)
    assert says in error["message"]
    assert error["type"] == "invalid_request_error"
    assert answer.headers["x-perennial-version"] == "2"


BODIES = {
    "nothing": b"",
    "half": b'{"model": "docs',
    "not UTF-8": b'{"model": "\xff"}',
    "half a character": b'{"model": "docs-writer", "prompt": "\\ud800"}',
    "not a number": b'{"model": "docs-writer", "prompt": "x", "temperature": NaN}',
    "a list": b"[]",
    "very deep": b"[" * 100_000,
    "a number beyond all": b'{"model": "docs-writer", "prompt": "x", "temperature": 1e999}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_body_that_is_no_request(server: RunningServer, body: bytes) -> None:
    answer = httpx.post(f"{server.url}/v1/completions", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


def test_a_body_that_is_too_large(server: RunningServer) -> None:
    answer = httpx.post(f"{server.url}/v1/completions", content=b" " * (9 * 1024 * 1024))
    assert answer.status_code == 413


def test_the_client_finds_the_code_of_an_over_long_prompt(server: RunningServer) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        server.client.completions.create(model=NAME, prompt="x " * CONTEXT)
    assert refused.value.code == "context_length_exceeded"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/completions", 405), ("GET", "/v2", 404), ("GET", "/v1/models/gpt-5", 404)],
)
def test_a_route_that_is_none(server: RunningServer, method: str, path: str, status: int) -> None:
    answer = httpx.request(method, server.url + path)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_the_server_is_well_after_all_of_it(server: RunningServer) -> None:
    assert "Traceback" not in server.log.read_text()
    assert server.get("/health/ready").status_code == 200
