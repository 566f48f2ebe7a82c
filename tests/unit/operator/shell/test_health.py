"""When a replica is ready, and when it needs a restart."""

import time

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from perennial.kube.client import ApiError
from perennial.process import health
from perennial.process.definitions import wait_for_definitions
from perennial.process.health import Health, Server


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(health.time, "monotonic", lambda: now[0])
    assert time.monotonic() == 1000.0
    return now


def started() -> Health:
    """A replica to which the API server serves the kinds."""
    replica = Health()
    replica.waits_for = None
    return replica


def test_a_standby_is_alive_and_ready(clock):
    standby = started()
    clock[0] += 10_000
    assert standby.trouble() is None
    assert standby.unreadiness() is None


def test_a_replica_without_crds_is_alive_but_not_ready(clock):
    replica = Health()
    assert replica.unreadiness() == "the kinds of perennial.dev have not been looked for"
    replica.waits_for = "install the CRDs"
    clock[0] += 10_000
    assert replica.unreadiness() == "install the CRDs"
    assert replica.trouble() is None


def test_a_leader_is_ready_once_events_reach_it(clock):
    leader = started()
    leader.leads()
    assert leader.unreadiness() == "the first list is not complete"
    leader.beat()
    assert leader.unreadiness() is None


def test_a_leader_without_events_for_a_minute_is_not_alive(clock):
    leader = started()
    leader.leads()
    leader.beat()
    clock[0] += 59
    assert leader.trouble() is None
    clock[0] += 2
    assert leader.trouble() == "no event for 61 s"
    leader.beat()
    assert leader.trouble() is None


def test_the_first_list_may_take_longer_but_not_forever(clock):
    leader = started()
    leader.leads()
    clock[0] += 299
    assert leader.trouble() is None
    clock[0] += 2
    assert "first list" in leader.trouble()


def test_a_watch_that_falls_behind_is_reported(clock):
    leader = started()
    leader.sees_lease = False
    leader.leads()
    assert leader.trouble() is None
    leader.behind = "the watch has not delivered Job demo/a"
    assert leader.trouble() == "the watch has not delivered Job demo/a"


class Discovery:
    """The kinds that the API server serves, one answer after the other; asks /readyz before each."""

    def __init__(self, port: int, *answers: set[str] | ApiError) -> None:
        self.url = f"http://127.0.0.1:{port}/readyz"
        self.readiness: list[tuple[int, str]] = []
        self._answers = iter(answers)

    async def serves(self, api_version: str) -> set[str]:
        assert api_version == "perennial.dev/v1alpha1"
        self.readiness.append(await self.ready())
        answer = next(self._answers)
        if isinstance(answer, ApiError):
            raise answer
        return answer

    async def ready(self) -> tuple[int, str]:
        async with aiohttp.ClientSession() as client, client.get(self.url) as response:
            return response.status, await response.text()


async def test_readyz_says_which_kinds_are_missing(unused_tcp_port):
    replica = Health()
    server = Server(replica, CollectorRegistry(), unused_tcp_port)
    kinds = {"deployments", "languagemodels", "trainingjobs"}
    silence = ApiError(0, "the API server can't be reached")
    discovery = Discovery(unused_tcp_port, {"trainingjobs"}, silence, kinds)
    await server.start()
    await wait_for_definitions(discovery, replica, period=0)
    assert discovery.readiness == [
        (503, "the kinds of perennial.dev have not been looked for"),
        (503, "the API server does not serve deployments, languagemodels of perennial.dev/v1alpha1; install the CRDs"),
        (503, "the API server can't be reached"),
    ]
    assert await discovery.ready() == (200, "ok")
    await server.stop()
