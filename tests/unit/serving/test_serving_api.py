"""The OpenAI API as the official client sees it, against a real server."""

import socket
from concurrent.futures import ThreadPoolExecutor

import httpx
import openai
import pytest
from openai import OpenAI

from perennial_testing.serving.artifacts import CONTEXT, NAME, VERSION, Artifact
from perennial_testing.serving.process import RunningServer, Servers, wait_until

PROMPTS = ["The quick", "Zwölf Boxkämpfer jagen Viktor", "é", "dog " * 40, "3 × 3", "lazy", "x", "Un éléphant ça"]
MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Who jumps?"}]


def complete(server: RunningServer, prompt: str, **options: object) -> str:
    return server.client.completions.create(model=NAME, prompt=prompt, **options).choices[0].text


def test_a_completion_has_the_shape_of_openai(server: RunningServer, artifact: Artifact) -> None:
    answer = server.client.completions.create(model=NAME, prompt="The quick", temperature=0)
    assert (answer.object, answer.model) == ("text_completion", NAME)
    assert answer.system_fingerprint == f"v{VERSION}-{artifact.digest[7:19]}"
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 16
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 16


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_it_answers_both_families(server: RunningServer) -> None:
    port = httpx.URL(server.url).port
    for address in ("127.0.0.1", "[::1]"):
        assert httpx.get(f"http://{address}:{port}/health/live").status_code == 200


def test_a_stream_joined_is_the_whole_answer(server: RunningServer) -> None:
    options = {"model": NAME, "prompt": "Zwölf", "temperature": 0, "max_tokens": 60}
    whole = server.client.completions.create(**options)
    chunks = list(server.client.completions.create(**options, stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].text for chunk in chunks[:-1]) == whole.choices[0].text
    assert [chunk.choices[0].finish_reason for chunk in chunks[-3:-1]] == [None, "length"]
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage
    assert len({chunk.id for chunk in chunks}) == 1
    assert len(chunks) > 10


def test_chat_whole_and_streamed(server: RunningServer) -> None:
    options = {"model": NAME, "messages": MESSAGES, "temperature": 0, "max_completion_tokens": 40}
    whole = server.client.chat.completions.create(**options)
    chunks = list(server.client.chat.completions.create(**options, stream=True))
    assert whole.object == "chat.completion"
    assert whole.choices[0].message.role == "assistant"
    assert chunks[0].object == "chat.completion.chunk"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole.choices[0].message.content
    assert chunks[-1].choices[0].finish_reason == whole.choices[0].finish_reason
    assert all(chunk.usage is None for chunk in chunks)


def test_content_in_parts_is_the_same_as_text(server: RunningServer) -> None:
    parts = [{"type": "text", "text": "Who "}, {"type": "text", "text": "jumps?"}]
    options = {"model": NAME, "temperature": 0, "max_tokens": 8}
    answers = [
        server.client.chat.completions.create(messages=[{"role": "user", "content": content}], **options)
        for content in ("Who jumps?", parts)
    ]
    assert answers[0].choices[0].message.content == answers[1].choices[0].message.content


def test_the_stream_ends_with_done_on_the_wire(server: RunningServer) -> None:
    body = {"model": NAME, "prompt": "The", "stream": True, "max_tokens": 3}
    answer = httpx.post(f"{server.url}/v1/completions", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-perennial-version"] == VERSION
    events = answer.text.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    assert all(event.startswith("data: {") for event in events[:-2])


def test_greedy_answers_are_the_same_alone_and_among_others(server: RunningServer) -> None:
    def ask(prompt: str) -> str:
        return complete(server, prompt, temperature=0, max_tokens=80)

    alone = [ask(prompt) for prompt in PROMPTS]
    with ThreadPoolExecutor(len(PROMPTS)) as pool:
        assert list(pool.map(ask, PROMPTS)) == alone
    assert len(set(alone)) > 4


def test_a_seed_gives_the_same_answer_among_others(server: RunningServer) -> None:
    def ask(seed: int) -> str:
        return complete(server, "The", temperature=1.2, top_p=0.95, seed=seed, max_tokens=40)

    seeds = list(range(8))
    alone = [ask(seed) for seed in seeds]
    with ThreadPoolExecutor(len(seeds)) as pool:
        assert list(pool.map(ask, seeds)) == alone
    assert len(set(alone)) == len(seeds)
    assert ask(-(2**63)) != ask(2**63 - 1)


def test_a_stop_sequence_ends_the_answer_and_is_not_part_of_it(server: RunningServer) -> None:
    whole = complete(server, "The quick", temperature=0, max_tokens=60)
    stop = whole[20:23]
    for stream in (False, True):
        answer = server.client.completions.create(
            model=NAME, prompt="The quick", temperature=0, max_tokens=60, stop=["\x00", stop], stream=stream
        )
        choices = [chunk.choices[0] for chunk in answer] if stream else [answer.choices[0]]
        assert "".join(choice.text for choice in choices) == whole[: whole.index(stop)]
        assert choices[-1].finish_reason == "stop"


def test_the_end_token_ends_an_answer(server: RunningServer) -> None:
    answer = server.client.completions.create(model=NAME, prompt="The", temperature=2, seed=1, max_tokens=3000)
    assert answer.choices[0].finish_reason == "stop"
    assert "<|end|>" not in answer.choices[0].text


def test_token_ids_are_a_prompt_and_lists_of_one_are_one(server: RunningServer) -> None:
    texts = {complete(server, prompt, temperature=0) for prompt in ([70, 71], [[70, 71]])}  # type: ignore[arg-type]
    assert len(texts) == 1
    assert complete(server, "x", temperature=0) == complete(server, ["x"], temperature=0)  # type: ignore[arg-type]


def test_an_answer_may_fill_the_context_to_the_last_token(server: RunningServer) -> None:
    prompt = [70] * (CONTEXT - 3)
    answer = server.client.completions.create(model=NAME, prompt=prompt, temperature=0)
    assert answer.usage is not None
    assert answer.usage.total_tokens == CONTEXT


def test_neutral_values_and_nulls_of_other_clients_are_accepted(server: RunningServer) -> None:
    extra = {"logit_bias": {}, "suffix": None, "user": "u", "metadata": {"a": "b"}, "logprobs": None, "stop": None}
    assert complete(server, "x", n=1, best_of=1, echo=False, presence_penalty=0.0, max_tokens=None, extra_body=extra)


def test_models_tell_name_version_and_digest(server: RunningServer, artifact: Artifact) -> None:
    listed = server.client.models.list().data
    assert [model.id for model in listed] == [NAME]
    model = server.client.models.retrieve(NAME)
    assert model.to_dict() == listed[0].to_dict()
    assert model.to_dict()["version"] == VERSION
    assert model.to_dict()["digest"] == artifact.digest
    assert model.to_dict()["max_model_len"] == CONTEXT


LONG = {"model": NAME, "prompt": "x", "max_tokens": 4000, "temperature": 0}


def test_a_full_queue_says_when_to_try_again(servers: Servers) -> None:
    narrow = servers["narrow"]
    with ThreadPoolExecutor(1) as pool, narrow.client.completions.create(**LONG, stream=True):
        wait_until(lambda: narrow.metric("perennial_requests_running") == 1)
        second = pool.submit(complete, narrow, "x", max_tokens=1)
        wait_until(lambda: narrow.metric("perennial_requests_waiting") == 1)
        with pytest.raises(openai.RateLimitError) as refused:
            complete(narrow, "x")
        assert refused.value.code == "queue_full"
        assert refused.value.response.headers["retry-after"] == "1"
        assert not second.done()
    assert second.exception() is None
    assert_idle(narrow)


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_a_client_that_goes_away_frees_its_place(servers: Servers, stream: bool) -> None:
    narrow = servers["narrow"]
    gone = narrow.metric("perennial_requests_total", code="499")
    tokens = narrow.metric("perennial_generated_tokens_total")
    with pytest.raises(httpx.ReadTimeout):
        leave_early(narrow, stream)
    assert_idle(narrow)
    assert narrow.metric("perennial_requests_total", code="499") == gone + 1
    assert narrow.metric("perennial_generated_tokens_total") - tokens < LONG["max_tokens"]
    assert complete(narrow, "x", max_tokens=1) is not None


def test_a_client_that_goes_away_while_it_waits_leaves_the_queue(servers: Servers) -> None:
    narrow = servers["narrow"]
    with narrow.client.completions.create(**LONG, stream=True):
        with pytest.raises(httpx.ReadTimeout):
            leave_early(narrow, stream=False)
        wait_until(lambda: narrow.metric("perennial_requests_waiting") == 0)
        assert narrow.metric("perennial_requests_running") == 1
    assert_idle(narrow)


def leave_early(server: RunningServer, stream: bool) -> None:
    with httpx.stream("POST", f"{server.url}/v1/completions", json=LONG | {"stream": stream}, timeout=0.5) as answer:
        for _ in answer.iter_raw():
            if stream:
                raise httpx.ReadTimeout("read enough")


def assert_idle(server: RunningServer) -> None:
    wait_until(lambda: server.metric("perennial_requests_running") + server.metric("perennial_requests_waiting") == 0)


def test_metrics_count_what_happened(server: RunningServer, artifact: Artifact) -> None:
    def counts() -> list[float]:
        return [
            server.metric("perennial_requests_total", route="/v1/completions", code="200"),
            server.metric("perennial_requests_total", route="other", code="404"),
            server.metric("perennial_request_seconds_count"),
            server.metric("perennial_time_to_first_token_seconds_count"),
            server.metric("perennial_prompt_tokens_total"),
            server.metric("perennial_generated_tokens_total"),
        ]

    before = counts()
    complete(server, [70, 71, 72], max_tokens=5, temperature=0)  # type: ignore[arg-type]
    httpx.get(f"{server.url}/made/up/by/a/client")
    assert [after - was for after, was in zip(counts(), before, strict=True)] == [1, 1, 2, 1, 3, 5]
    assert server.metric("perennial_model_info", model=NAME, version=VERSION, digest=artifact.digest) == 1


def test_the_log_is_short_and_has_nothing_of_what_was_said(server: RunningServer) -> None:
    complete(server, "unheard-of secret", max_tokens=2)
    with pytest.raises(openai.BadRequestError):
        complete(server, "unheard-of secret", temperature=9)
    wait_until(lambda: "POST '/v1/completions' 400" in server.log.read_text())
    assert "unheard-of" not in server.log.read_text()
    assert "/metrics" not in server.log.read_text()


def test_health(server: RunningServer) -> None:
    assert [server.get(path).status_code for path in ("/health/live", "/health/ready")] == [200, 200]


def test_a_kept_connection_is_used_again(server: RunningServer) -> None:
    with httpx.Client() as http:
        client = OpenAI(base_url=f"{server.url}/v1", api_key="none", http_client=http, max_retries=0)
        raw = [client.models.with_raw_response.list() for _ in range(3)]
    assert all(answer.headers.get("connection") != "close" for answer in raw)
