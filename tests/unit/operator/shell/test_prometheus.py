"""Queries to Prometheus over HTTP."""

import asyncio
import json
import re

import aiohttp
import pytest
from aiohttp import web

from perennial.decide.readings import Reading
from perennial.loop.readings import limits, prometheus
from perennial.loop.readings.access import Access
from perennial.loop.readings.prometheus import NoAnswer, Prometheus, Query, excerpt, value_of


def vector(*values: str) -> dict:
    series = [{"metric": {"pod": str(i)}, "value": [1700000000.0, value]} for i, value in enumerate(values)]
    return {"status": "success", "data": {"resultType": "vector", "result": series}}


@pytest.mark.parametrize(
    ("response", "value"),
    [
        pytest.param(vector("0.5"), 0.5, id="a fraction"),
        pytest.param(vector("-3"), -3.0, id="a negative number"),
        pytest.param(vector("1e3"), 1000.0, id="an exponent"),
        pytest.param({"data": {"resultType": "scalar", "result": [1700000000.0, "7"]}}, 7.0, id="a scalar"),
    ],
)
def test_the_value_of_a_response_is_its_one_number(response, value):
    assert value_of(json.dumps(response).encode()) == value


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        pytest.param(vector(), "no data", id="no series"),
        pytest.param(vector("1", "2"), "2 series", id="two series"),
        pytest.param(vector("NaN"), "nan", id="not a number"),
        pytest.param(vector("+Inf"), "inf", id="infinity"),
        pytest.param(vector("many"), "not one of Prometheus", id="text for a number"),
        pytest.param(
            {"data": {"resultType": "matrix", "result": [{"values": []}]}}, "not one of Prometheus", id="a matrix"
        ),
        pytest.param(
            {"data": {"resultType": "vector", "result": 5}}, "not one of Prometheus", id="a number for series"
        ),
        pytest.param({"data": None}, "not one of Prometheus", id="null for data"),
        pytest.param([], "not one of Prometheus", id="a list"),
        pytest.param("x", "not one of Prometheus", id="a string"),
    ],
)
def test_a_response_without_one_number_is_a_reason(response, reason):
    value = value_of(json.dumps(response).encode())
    assert isinstance(value, str)
    assert reason in value


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[" * 100_000, b"\xff\xfe"], ids=["nothing", "html", "deep", "bytes"]
)
def test_a_response_that_is_not_json_is_a_reason(body):
    assert "not one of Prometheus" in value_of(body)


@pytest.fixture
async def server(unused_tcp_port):
    """An HTTP server whose response depends on the query."""

    async def answer(request: web.Request) -> web.StreamResponse:
        query = (await request.post())["query"]
        match query:
            case "echo":
                return web.Response(text=f"no {request.path} at http://user:p@ss@{request.host}", status=404)
            case "bad(":
                return web.json_response({"status": "error", "error": "parse error: " + "x" * 1000}, status=400)
            case "broken":
                return web.Response(text="<h1>bad\ngateway</h1>", status=502)
            case "huge":
                return web.Response(body=b" " * (2 * prometheus.LARGEST_RESPONSE))
            case "slow":
                await asyncio.sleep(5)
            case "moved":
                raise web.HTTPFound("http://elsewhere.invalid/")
        return web.json_response(vector(query))

    application = web.Application()
    application.router.add_post("/prefix/api/v1/query", answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", unused_tcp_port).start()
    yield f"http://127.0.0.1:{unused_tcp_port}/prefix"
    await runner.cleanup()


async def ask(server: str, query: str) -> Reading:
    async with aiohttp.ClientSession() as session:
        return await Prometheus(session, Access(), lambda result, seconds: None).ask(Query(server, query, "demo"))


async def failure(server: str, query: str) -> str:
    with pytest.raises(NoAnswer) as raised:
        await ask(server, query)
    return str(raised.value)


@pytest.mark.parametrize(
    ("query", "reading"),
    [("1", 1.0), ("2.5", 2.5), ("NaN", "the query returns nan, which is not a number")],
    ids=["one", "a fraction", "not a number"],
)
async def test_the_reading_of_a_query(server, query, reading):
    assert await ask(server, query) == reading


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        pytest.param("bad(", r"Prometheus responded with HTTP 400: parse error: x{100,200}…", id="a bad query"),
        pytest.param("huge", r"the response is larger than 1024 KiB", id="a huge response"),
        pytest.param("moved", r"Prometheus responded with HTTP 302: .*", id="a redirect"),
    ],
)
async def test_an_answer_without_a_value_is_a_reason(server, query, reason):
    assert re.fullmatch(reason, await ask(server, query))


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        pytest.param("broken", r"Prometheus responded with HTTP 502: <h1>bad gateway</h1>", id="a bad gateway"),
        pytest.param("slow", r"http://127\.0\.0\.1:\d+/prefix did not respond within 0 s", id="a slow response"),
    ],
)
async def test_a_server_that_is_unable_gives_no_answer(server, monkeypatch, query, reason):
    monkeypatch.setattr(limits, "DEADLINE", 0.4)
    assert re.fullmatch(reason, await failure(server, query))


async def test_an_unreachable_server_gives_no_answer(unused_tcp_port):
    assert "can't be reached" in await failure(f"http://127.0.0.1:{unused_tcp_port}", "1")


async def test_an_impossible_name_gives_no_answer():
    assert "can't be reached" in await failure(f"http://{'a' * 64}.example", "1")


async def test_a_refusal_does_not_name_the_userinfo_of_a_url_in_it(server):
    reason = await ask(server, "echo")
    assert "http://127.0.0.1" in reason
    assert not [secret for secret in ("user", "p@ss") if secret in reason]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("http://p:9090/x", "http://p:9090/x", id="no userinfo"),
        pytest.param("http://user@p", "http://p", id="a name"),
        pytest.param("http://user:s@c/r:t@p/x", "http://p/x", id="a password of odd characters"),
        pytest.param("a https://u:s@p, b http://u:s@q", "a https://p, b http://q", id="two URLs"),
        pytest.param("parse error: x @ 5", "parse error: x @ 5", id="an at sign elsewhere"),
    ],
)
def test_a_text_is_shown_without_userinfo(text, shown):
    assert excerpt(text) == shown
