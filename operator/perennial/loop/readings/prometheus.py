"""Queries to Prometheus over HTTP: a number, or the reason why there is none. Its responses are not trusted."""

import json
import math
import re
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NamedTuple

import aiohttp

from perennial.decide.readings import Reading
from perennial.loop.readings import limits
from perennial.loop.readings.access import Access, AccessError, Proof, parameters, proof, ssl_context

LARGEST_RESPONSE = 1024 * 1024
_LONGEST_EXCERPT = 200
# Of the server, not of the query: it has too much to do, or something before it can't reach it.
_UNABLE = {
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}


class NoAnswer(Exception):
    """A server did not answer a query; the message says why. It may be asked again."""


class Query(NamedTuple):
    """One question to one server, for the objects of one namespace."""

    server: str
    promql: str
    namespace: str

    def __str__(self) -> str:
        return f"query {excerpt(self.promql)}"


class Prometheus:
    """Instant queries."""

    def __init__(self, session: aiohttp.ClientSession, access: Access, asked: Callable[[str, float], None]) -> None:
        self._session = session
        self._access = access
        self._asked = asked

    async def ask(self, query: Query) -> Reading:
        """The value of a query, or a sentence on why it has none; raises NoAnswer."""
        started, result = time.monotonic(), "failed"
        try:
            reading = await self._ask(query)
            result = "answered"
        finally:
            self._asked(result, time.monotonic() - started)
        return reading

    async def _ask(self, query: Query) -> Reading:
        server = query.server
        try:
            shown, certificates = proof(self._access, query.namespace), ssl_context(self._access.tls)
            async with self._session.post(
                f"{server}/api/v1/query",
                params=parameters(self._access, query.namespace),
                data={"query": query.promql},
                headers=shown.headers,
                ssl=certificates,
                timeout=aiohttp.ClientTimeout(total=limits.DEADLINE),
                allow_redirects=False,
            ) as response:
                body = await _bounded(response)
        except AccessError as error:
            raise NoAnswer(f"{server} can't be asked: {error}") from error
        except TimeoutError as error:
            raise NoAnswer(f"{server} did not respond within {limits.DEADLINE:.0f} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NoAnswer(f"{server} can't be reached: {excerpt(str(error) or type(error).__name__)}") from error
        if response.status in _UNABLE:
            raise NoAnswer(_refusal(response.status, body, shown))
        return value_of(body) if response.status == HTTPStatus.OK else _refusal(response.status, body, shown)


def excerpt(text: str) -> str:
    """The text in one line of bounded length, without the user names and passwords of the URLs in it."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    line = re.sub(r"(?<=://)\S*@", "", line)
    return line if len(line) <= _LONGEST_EXCERPT else line[:_LONGEST_EXCERPT] + "…"


def value_of(body: bytes) -> Reading:
    """The one number in the response to an instant query, or a sentence on why it has none."""
    if len(body) > LARGEST_RESPONSE:
        return f"the response is larger than {LARGEST_RESPONSE // 1024} KiB"
    try:
        data = json.loads(body)["data"]
        kind, result = data["resultType"], data["result"]
        samples = [result] if kind == "scalar" else [series["value"] for series in result]
        return _one(samples)
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return "the response is not one of Prometheus to an instant query"


def _one(samples: list[Any]) -> Reading:
    if not samples:
        return "the query returns no data"
    if len(samples) > 1:
        return f"the query returns {len(samples)} series instead of one; aggregate it, for example with sum() or max()"
    value = float(samples[0][1])
    return value if math.isfinite(value) else f"the query returns {value}, which is not a number"


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    """The body, or a little more of it than is allowed."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(65536):
        body += chunk
        if len(body) > LARGEST_RESPONSE:
            break
    return bytes(body)


def _refusal(status: int, body: bytes, shown: Proof) -> str:
    try:
        reason = str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError, RecursionError):
        reason = body.decode(errors="replace")
    return f"Prometheus responded with HTTP {status}: {excerpt(shown.hide(reason))}"
