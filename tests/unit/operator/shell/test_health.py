"""When a replica needs a restart."""

import time

import pytest

from perennial.process import health
from perennial.process.health import Health


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(health.time, "monotonic", lambda: now[0])
    assert time.monotonic() == 1000.0
    return now


def test_a_standby_is_alive_and_ready(clock):
    standby = Health()
    clock[0] += 10_000
    assert standby.trouble() is None
    assert standby.is_ready


def test_a_leader_is_ready_once_events_reach_it(clock):
    leader = Health()
    leader.leads()
    assert not leader.is_ready
    leader.beat()
    assert leader.is_ready


def test_a_leader_without_events_for_a_minute_is_not_alive(clock):
    leader = Health()
    leader.leads()
    leader.beat()
    clock[0] += 59
    assert leader.trouble() is None
    clock[0] += 2
    assert leader.trouble() == "no event for 61 s"
    leader.beat()
    assert leader.trouble() is None


def test_the_first_list_may_take_longer_but_not_forever(clock):
    leader = Health()
    leader.leads()
    clock[0] += 299
    assert leader.trouble() is None
    clock[0] += 2
    assert "first list" in leader.trouble()


def test_a_watch_that_falls_behind_is_reported(clock):
    leader = Health()
    leader.sees_lease = False
    leader.leads()
    assert leader.trouble() is None
    leader.behind = "the watch has not delivered Job demo/a"
    assert leader.trouble() == "the watch has not delivered Job demo/a"
