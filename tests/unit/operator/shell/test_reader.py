"""The reader of Prometheus beside servers that are slow, silent, refuse or lie."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from perennial.decide.readings import Reading
from perennial.kube.keys import Key
from perennial.loop import queue
from perennial.loop.readings import limits
from perennial.loop.readings.access import Access
from perennial.loop.readings.prometheus import Prometheus, Query
from perennial.loop.readings.reader import Reader

KEYS = [Key("LanguageModel", "demo", f"model-{number}") for number in range(20)]
KEY = KEYS[0]
FOREVER = 1000.0


class Server:
    """A Prometheus on loopback: the value of each query, by default 1, and which queries it never answers."""

    def __init__(self) -> None:
        self.url = ""
        self.values: dict[str, str] = {}
        self.is_silent: Callable[[str], bool] = lambda query: False
        self.asked: Counter[str] = Counter()
        self.most_at_once = 0
        self._at_once = 0

    async def answer(self, request: web.Request) -> web.Response:
        query = str((await request.post())["query"])
        self.asked[query] += 1
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        await (asyncio.Event().wait() if self.is_silent(query) else asyncio.sleep(0.005))
        self._at_once -= 1
        result = [{"metric": {}, "value": [1700000000.0, self.values.get(query, "1")]}]
        return web.json_response({"status": "success", "data": {"resultType": "vector", "result": result}})

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Its URL, at a port that is free."""
        application = web.Application()
        application.router.add_post("/api/v1/query", self.answer)
        runner = web.AppRunner(application, shutdown_timeout=0.01)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield "http://{}:{}".format(*runner.addresses[0])
        finally:
            await runner.cleanup()


class Objects:
    """A reader, and the objects that it has had looked at again."""

    def __init__(self, url: str | None, session: aiohttp.ClientSession) -> None:
        self.changed: Counter[Key] = Counter()
        access = Access()
        prometheus = Prometheus(session, access, lambda result, seconds: None)
        self.reader = Reader(url, access, prometheus.ask, lambda key: self.changed.update([key]))

    def reading(self, query: str, key: Key = KEY) -> Reading | None:
        return self.reader.readings({"name": query}, key).get("name")

    def readings(self, queries: list[str]) -> list[Reading | None]:
        return [self.reading(query) for query in queries]


@asynccontextmanager
async def objects(url: str | None) -> AsyncIterator[Objects]:
    async with aiohttp.ClientSession() as session:
        found = Objects(url, session)
        found.reader.start()
        try:
            yield found
        finally:
            await found.reader.stop()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "SHORTEST_PAUSE", 0.0)
    for name, seconds in {"REFRESH": 0.01, "PAUSE": 0.2, "HEAD_START": 0.05}.items():
        monkeypatch.setattr(limits, name, seconds)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    async with server.serving() as server.url:
        yield server


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Servers that don't answer have little time, until it is called."""
    patience = limits.DEADLINE
    monkeypatch.setattr(limits, "DEADLINE", 0.1)
    return lambda: monkeypatch.setattr(limits, "DEADLINE", patience)


async def eventually(what: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end
        await asyncio.sleep(0.005)


# --- a server that works


async def test_the_first_value_and_each_new_one_have_the_object_looked_at_again(server):
    async with objects(server.url) as some:
        assert some.reading("q") is None
        await eventually(lambda: some.changed[KEY] == 1)
        assert some.reading("q") == 1.0
        await eventually(lambda: server.asked["q"] >= 4)
        assert some.changed[KEY] == 1
        server.values["q"] = "2"
        await eventually(lambda: some.changed[KEY] == 2)
        assert some.reading("q") == 2.0


async def test_a_query_of_many_objects_is_asked_once(server, monkeypatch):
    monkeypatch.setattr(limits, "REFRESH", FOREVER)
    async with objects(server.url) as some:
        assert {some.reading("q", key) for key in KEYS} == {None}
        await eventually(lambda: some.changed == Counter(KEYS))
        assert {some.reading("q", key) for key in KEYS} == {1.0}
        assert server.asked == {"q": 1}


async def test_several_queries_of_an_object_have_names(server):
    queries = {"a": "x", "b": "y"}
    server.values = {"x": "1", "y": "2.5"}
    async with objects(server.url) as some:
        await eventually(lambda: some.reader.readings(queries, KEY) == {"a": 1.0, "b": 2.5})


async def test_few_queries_are_asked_at_a_time(server, monkeypatch):
    monkeypatch.setattr(limits, "PLACES", 3)
    async with objects(server.url) as some:
        await eventually(lambda: some.readings([f"q{number}" for number in range(30)]) == 30 * [1.0])
    assert server.most_at_once <= 3


async def test_what_no_object_wants_is_forgotten(server, monkeypatch):
    monkeypatch.setattr(limits, "KEPT", 0.05)
    async with objects(server.url) as some:
        some.reading("q")
        await eventually(lambda: server.asked["q"])
        await eventually(lambda: not some.reader._notes)
        asked = server.asked["q"]
        assert some.reading("q") is None
        await eventually(lambda: server.asked["q"] > asked)


async def test_without_a_server_the_reason_says_so():
    async with objects(None) as some:
        assert "--prometheus-url" in some.reading("q")


# --- a server that does not answer


async def test_a_silent_server_is_a_reason_after_the_deadline(server, hasty):
    server.is_silent = lambda query: True
    async with objects(server.url) as some:
        assert some.reading("q") is None
        await eventually(lambda: some.changed[KEY])
        assert some.reading("q") == f"{server.url} did not respond within 0 s"


async def test_a_server_that_refuses_is_a_reason(unused_tcp_port):
    async with objects(f"http://127.0.0.1:{unused_tcp_port}") as some:
        some.reading("q")
        await eventually(lambda: some.changed[KEY])
        assert "can't be reached" in some.reading("q")


async def test_a_lying_server_is_a_reason_and_not_broken(server):
    queries = {f"q{number}": f"q{number}" for number in range(2 * limits.FAILURES)}
    server.values = dict.fromkeys(queries, "many")
    lie = "the response is not one of Prometheus to an instant query"
    async with objects(server.url) as some:
        await eventually(lambda: some.reader.readings(queries, KEY) == dict.fromkeys(queries, lie))
        await eventually(lambda: min(server.asked[query] for query in queries) >= 3)


async def test_a_value_counts_in_spite_of_a_failure_until_it_is_too_old(server, hasty, monkeypatch):
    monkeypatch.setattr(limits, "LONGEST_AGE", FOREVER)
    async with objects(server.url) as some:
        some.reading("q")
        await eventually(lambda: some.reading("q") == 1.0)
        server.is_silent = lambda query: True
        before = some.changed[KEY]
        asked = server.asked["q"]
        await eventually(lambda: server.asked["q"] >= asked + 3)
        assert some.reading("q") == 1.0
        assert some.changed[KEY] == before
        monkeypatch.setattr(limits, "LONGEST_AGE", 0.0)
        assert "did not respond" in some.reading("q")


async def test_a_broken_server_is_hardly_asked_and_all_are_told_why(server, hasty, monkeypatch):
    monkeypatch.setattr(limits, "PAUSE", FOREVER)
    server.is_silent = lambda query: True
    async with objects(server.url) as some:
        queries = [f"q{number}" for number in range(50)]
        await eventually(lambda: all(some.readings(queries)))
        assert set(some.readings(queries)) == {f"{server.url} did not respond within 0 s"}
    assert sum(server.asked.values()) < limits.PLACES + limits.FAILURES


async def test_all_are_read_once_a_broken_server_answers_one_query(server, hasty):
    server.is_silent = lambda query: True
    async with objects(server.url) as some:
        queries = [f"q{number}" for number in range(20)]
        await eventually(lambda: all(some.readings(queries)))
        server.is_silent = lambda query: False
        hasty()
        await eventually(lambda: set(some.readings(queries)) == {1.0})
        assert some.changed[KEY] >= len(queries)


async def test_slow_queries_do_not_keep_another_one_waiting(server, hasty, monkeypatch):
    monkeypatch.setattr(limits, "PLACES", 2)
    server.is_silent = lambda query: query.startswith("slow")
    async with objects(server.url) as some:
        for number in range(20):
            some.reading(f"slow{number}")
        await eventually(lambda: some.reading("good") == 1.0)
        await eventually(lambda: server.asked["good"] >= 5)
        assert some.reading("good") == 1.0
    assert max(times for query, times in server.asked.items() if query != "good") <= 4


async def test_slow_queries_of_one_namespace_keep_no_other_namespace_from_its_readings(server, hasty, monkeypatch):
    monkeypatch.setattr(limits, "PAUSE", FOREVER)
    server.is_silent = lambda query: query.startswith("slow")
    async with objects(server.url) as some:
        queries = [f"slow{number}" for number in range(2 * limits.FAILURES)]
        await eventually(lambda: all(some.readings(queries)))
        assert server.asked["slow0"] == 1, "their breaker is open"
        other = Key("LanguageModel", "team-b", "one")
        await eventually(lambda: some.reading("good", other) == 1.0)
        await eventually(lambda: server.asked["good"] >= 5)
        assert "did not respond" in some.reading("good", KEY), "also for what would be answered"


async def test_a_silent_server_takes_no_places_from_another_one(server, hasty, monkeypatch):
    monkeypatch.setattr(limits, "PLACES", 2)
    monkeypatch.setattr(limits, "PAUSE", FOREVER)
    other = Server()
    other.is_silent = lambda query: True
    async with other.serving() as silent, objects(server.url) as some:
        for number in range(20):
            some.reader.want(Query(silent, f"q{number}", "demo"), KEY)
        await eventually(lambda: some.reading("good") == 1.0)
        await eventually(lambda: server.asked["good"] >= 20)
    assert sum(other.asked.values()) <= limits.FAILURES + limits.PLACES


async def test_the_log_tells_of_a_broken_server_once(server, hasty, caplog):
    caplog.set_level("INFO", "perennial")
    server.is_silent = lambda query: True
    async with objects(server.url) as some:
        queries = [f"q{number}" for number in range(10)]
        await eventually(lambda: all(some.readings(queries)))
        server.is_silent = lambda query: False
        hasty()
        await eventually(lambda: set(some.readings(queries)) == {1.0})
    broken = (
        f"{server.url} fails for namespace demo: {server.url} did not respond within 0 s; asking it one query every 0 s"
    )
    assert [record.getMessage() for record in caplog.records] == [
        f"{broken} until it responds",
        f"{server.url} responds again for namespace demo",
    ]
