"""Answers of a Prometheus, asked over HTTP."""

import asyncio
import json
import re

import aiohttp
import pytest
from aiohttp import web

from perennial.loop.observe.sources import prometheus
from perennial.loop.observe.sources.prometheus import Prometheus, value_of


def vector(*values: str) -> dict:
    series = [{"metric": {"pod": str(i)}, "value": [1700000000.0, value]} for i, value in enumerate(values)]
    return {"status": "success", "data": {"resultType": "vector", "result": series}}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (vector("0.5"), 0.5),
        (vector("-3"), -3.0),
        (vector("1e3"), 1000.0),
        ({"data": {"resultType": "scalar", "result": [1700000000.0, "7"]}}, 7.0),
        (vector(), "no data"),
        (vector("1", "2"), "2 series"),
        (vector("NaN"), "nan"),
        (vector("+Inf"), "inf"),
        (vector("many"), "not that of a Prometheus"),
        ({"data": {"resultType": "matrix", "result": [{"values": []}]}}, "not that of a Prometheus"),
        ({"data": {"resultType": "vector", "result": 5}}, "not that of a Prometheus"),
        ({"data": None}, "not that of a Prometheus"),
        ([], "not that of a Prometheus"),
        ("x", "not that of a Prometheus"),
    ],
    ids=str,
)
def test_an_answer_is_one_number_or_a_reason(answer, expected):
    value = value_of(json.dumps(answer).encode())
    if isinstance(expected, float):
        assert value == expected
    else:
        assert expected in value


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[" * 100_000, b"\xff\xfe"], ids=["nothing", "html", "deep", "bytes"]
)
def test_an_answer_that_is_no_json_is_a_reason(body):
    assert "not that of a Prometheus" in value_of(body)


@pytest.fixture
async def server(unused_tcp_port):
    """An HTTP server that answers by the query it gets."""

    async def answer(request: web.Request) -> web.StreamResponse:
        query = (await request.post())["query"]
        match query:
            case "bad(":
                return web.json_response({"status": "error", "error": "parse error: " + "x" * 1000}, status=400)
            case "broken":
                return web.Response(text="<h1>bad\ngateway</h1>", status=502)
            case "huge":
                return web.Response(body=b" " * (2 * prometheus.LARGEST_ANSWER))
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


async def test_the_readings_of_several_queries(server):
    async with aiohttp.ClientSession() as session:
        readings = await Prometheus(server, session).readings({"a": "1", "b": "2.5", "c": "NaN"})
    assert readings == {"a": 1.0, "b": 2.5, "c": "the query yields nan, which is no number"}


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("bad(", r"Prometheus answered HTTP 400: parse error: x{100,200}…"),
        ("broken", r"Prometheus answered HTTP 502: <h1>bad gateway</h1>"),
        ("huge", r"the answer is larger than 1024 KiB"),
        ("moved", r"Prometheus answered HTTP 302: .*"),
        ("slow", r"http://127\.0\.0\.1:\d+/prefix did not answer within 0 s"),
    ],
)
async def test_what_goes_wrong_is_a_reason(server, monkeypatch, query, reason):
    monkeypatch.setattr(prometheus, "TIMEOUT", aiohttp.ClientTimeout(total=0.4))
    async with aiohttp.ClientSession() as session:
        assert re.fullmatch(reason, await Prometheus(server, session).read(query))


async def test_a_server_that_is_not_there_is_a_reason(unused_tcp_port):
    async with aiohttp.ClientSession() as session:
        answer = await Prometheus(f"http://127.0.0.1:{unused_tcp_port}", session).read("1")
    assert "can't be reached" in answer


async def test_no_server_at_all_is_a_reason():
    async with aiohttp.ClientSession() as session:
        assert "--prometheus-url" in await Prometheus(None, session).read("1")
