"""Readings from Prometheus: a number, or the reason why there is none. Its responses are not trusted."""

import asyncio
import json
import math
from collections.abc import Mapping
from typing import Any

import aiohttp

TIMEOUT = aiohttp.ClientTimeout(total=5)
LARGEST_RESPONSE = 1024 * 1024
_LONGEST_EXCERPT = 200

Reading = float | str


class Prometheus:
    """Instant queries to one server; without a URL each reading is the reason that none is set."""

    def __init__(self, url: str | None, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session

    async def readings(self, queries: Mapping[str, str]) -> dict[str, Reading]:
        """The reading of each query, by its name."""
        values = await asyncio.gather(*map(self.read, queries.values()))
        return dict(zip(queries, values, strict=True))

    async def read(self, query: str) -> Reading:
        """The value of a PromQL query, or a sentence on why it has none."""
        if self._url is None:
            return "the operator has no Prometheus; set --prometheus-url"
        try:
            async with self._session.post(
                f"{self._url}/api/v1/query", data={"query": query}, timeout=TIMEOUT, allow_redirects=False
            ) as response:
                body = await _bounded(response)
                return value_of(body) if response.status == 200 else _refusal(response.status, body)
        except TimeoutError:
            return f"{self._url} did not respond within {TIMEOUT.total:.0f} s"
        except (aiohttp.ClientError, OSError) as error:
            return f"{self._url} can't be reached: {_excerpt(str(error) or type(error).__name__)}"
        except ValueError as error:
            return str(error)


def value_of(body: bytes) -> Reading:
    """The one number in the response to an instant query, or a sentence on why it has none."""
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
    body = bytearray()
    async for chunk in response.content.iter_chunked(65536):
        body += chunk
        if len(body) > LARGEST_RESPONSE:
            raise ValueError(f"the response is larger than {LARGEST_RESPONSE // 1024} KiB")
    return bytes(body)


def _refusal(status: int, body: bytes) -> str:
    try:
        reason = str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError, RecursionError):
        reason = body.decode(errors="replace")
    return f"Prometheus responded with HTTP {status}: {_excerpt(reason)}"


def _excerpt(text: str) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _LONGEST_EXCERPT else line[:_LONGEST_EXCERPT] + "…"
