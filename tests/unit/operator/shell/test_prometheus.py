"""Readings from Prometheus over HTTP."""

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


async def test_the_readings_of_several_queries(server):
    async with aiohttp.ClientSession() as session:
        readings = await Prometheus(server, session).readings({"a": "1", "b": "2.5", "c": "NaN"})
    assert readings == {"a": 1.0, "b": 2.5, "c": "the query returns nan, which is not a number"}


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        pytest.param("bad(", r"Prometheus responded with HTTP 400: parse error: x{100,200}…", id="a bad query"),
        pytest.param("broken", r"Prometheus responded with HTTP 502: <h1>bad gateway</h1>", id="a bad gateway"),
        pytest.param("huge", r"the response is larger than 1024 KiB", id="a huge response"),
        pytest.param("moved", r"Prometheus responded with HTTP 302: .*", id="a redirect"),
        pytest.param("slow", r"http://127\.0\.0\.1:\d+/prefix did not respond within 0 s", id="a slow response"),
    ],
)
async def test_a_failed_request_is_a_reason(server, monkeypatch, query, reason):
    monkeypatch.setattr(prometheus, "TIMEOUT", aiohttp.ClientTimeout(total=0.4))
    async with aiohttp.ClientSession() as session:
        assert re.fullmatch(reason, await Prometheus(server, session).read(query))


async def test_an_unreachable_server_is_a_reason(unused_tcp_port):
    async with aiohttp.ClientSession() as session:
        answer = await Prometheus(f"http://127.0.0.1:{unused_tcp_port}", session).read("1")
    assert "can't be reached" in answer


async def test_a_missing_url_is_a_reason():
    async with aiohttp.ClientSession() as session:
        assert "--prometheus-url" in await Prometheus(None, session).read("1")
