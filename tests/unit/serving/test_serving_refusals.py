"""Bad requests and what the client sees: never a 500, always OpenAI's shape and a message that helps."""

from dataclasses import dataclass
from typing import Any

import httpx
import openai
import pytest

from perennial_testing.serving.artifacts import CONTEXT, NAME
from perennial_testing.serving.process import RunningServer

COMPLETION = {"model": NAME, "prompt": "x", "max_tokens": 2}
CHAT = {"model": NAME, "messages": [{"role": "user", "content": "x"}], "max_tokens": 2}


def chat(**message: object) -> dict[str, Any]:
    return {"messages": [message]}


@dataclass(frozen=True)
class Refused:
    """A request with changed fields, and the error that it gets."""

    request: dict[str, Any]
    changes: dict[str, Any]
    param: str
    message: str
    status: int = 400


REFUSED = {
    "no prompt": Refused(COMPLETION, {"prompt": None}, param="prompt", message="missing"),
    "an empty prompt": Refused(COMPLETION, {"prompt": ""}, param="prompt", message="at least one token"),
    "an empty list": Refused(COMPLETION, {"prompt": []}, param="prompt", message="at least one token"),
    "two prompts": Refused(COMPLETION, {"prompt": ["a", "b"]}, param="prompt", message="only one prompt per request"),
    "a prompt of another kind": Refused(
        COMPLETION, {"prompt": {"a": 1}}, param="prompt", message="text or a list of token ids"
    ),
    "mixed token ids": Refused(COMPLETION, {"prompt": [1, 2.5]}, param="prompt", message="text or a list of token ids"),
    "a token id too high": Refused(COMPLETION, {"prompt": [320]}, param="prompt", message="from 0 to 319"),
    "a token id too low": Refused(COMPLETION, {"prompt": [-1]}, param="prompt", message="from 0 to 319"),
    "a prompt beyond the context": Refused(
        COMPLETION, {"prompt": [7] * CONTEXT}, param="prompt", message="shorten one of them"
    ),
    "too many tokens wanted": Refused(
        COMPLETION, {"max_tokens": CONTEXT}, param="prompt", message="shorten one of them"
    ),
    "no token wanted": Refused(COMPLETION, {"max_tokens": 0}, param="max_tokens", message="greater than or equal to 1"),
    "tokens as text": Refused(COMPLETION, {"max_tokens": "5"}, param="max_tokens", message="valid integer"),
    "a negative temperature": Refused(
        COMPLETION, {"temperature": -1}, param="temperature", message="greater than or equal to 0"
    ),
    "a temperature too high": Refused(
        COMPLETION, {"temperature": 2.1}, param="temperature", message="less than or equal to 2"
    ),
    "top_p of 0": Refused(COMPLETION, {"top_p": 0}, param="top_p", message="greater than 0"),
    "five stops": Refused(COMPLETION, {"stop": list("abcde")}, param="stop", message="at most 4"),
    "an empty stop": Refused(COMPLETION, {"stop": ""}, param="stop.0", message="at least 1 character"),
    "a seed too large": Refused(COMPLETION, {"seed": 2**63}, param="seed", message=""),
    "several answers": Refused(COMPLETION, {"n": 2}, param="n", message="not supported"),
    "best of several": Refused(COMPLETION, {"best_of": 3}, param="best_of", message="not supported"),
    "echo": Refused(COMPLETION, {"echo": True}, param="echo", message="not supported"),
    "a suffix": Refused(COMPLETION, {"suffix": "end"}, param="suffix", message="not supported"),
    "log-probabilities, none even": Refused(COMPLETION, {"logprobs": 0}, param="logprobs", message="not supported"),
    "a penalty": Refused(COMPLETION, {"frequency_penalty": 0.5}, param="frequency_penalty", message="not supported"),
    "a bias": Refused(COMPLETION, {"logit_bias": {"5": 1}}, param="logit_bias", message="not supported"),
    "a field of another server": Refused(COMPLETION, {"top_k": 5}, param="top_k", message="leave it out"),
    "stream options without a stream": Refused(
        COMPLETION, {"stream_options": {}}, param="stream_options", message="stream: true"
    ),
    "an unknown model": Refused(
        COMPLETION, {"model": "gpt-5"}, status=404, param="model", message=f"this server serves '{NAME}'"
    ),
    "no model": Refused(COMPLETION, {"model": None}, param="model", message="missing"),
    "no messages": Refused(CHAT, {"messages": []}, param="messages", message="at least 1 item"),
    "an unknown role": Refused(CHAT, chat(role="tool", content="x"), param="messages.0.role", message="'user'"),
    "a message without content": Refused(CHAT, chat(role="user"), param="messages.0.content", message="missing"),
    "a picture": Refused(
        CHAT, chat(role="user", content=[{"type": "image_url"}]), param="messages.0.content", message="type text"
    ),
    "text that is none": Refused(
        CHAT, chat(role="user", content=[{"type": "text", "text": 1}]), param="messages.0.content", message=""
    ),
    "a name in a message": Refused(
        CHAT, chat(role="user", content="x", name="n"), param="messages.0.name", message="leave it out"
    ),
    "tools": Refused(CHAT, {"tools": [{"type": "function"}]}, param="tools", message="not supported"),
    "JSON wanted": Refused(
        CHAT, {"response_format": {"type": "json_object"}}, param="response_format", message="not supported"
    ),
    "two limits": Refused(CHAT, {"max_completion_tokens": 3}, param="max_tokens", message="not both"),
    "messages beyond the context": Refused(
        CHAT, chat(role="user", content="x" * CONTEXT), param="messages", message="shorten"
    ),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_refused(server: RunningServer, case: Refused) -> None:
    route = "chat/completions" if case.request is CHAT else "completions"
    answer = httpx.post(f"{server.url}/v1/{route}", json=case.request | case.changes)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (case.status, case.param)
    assert case.message in error["message"]
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
