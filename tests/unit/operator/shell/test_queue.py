"""The work queue of keys."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.loop import queue
from perennial.loop.queue import Queue, Retry


def yields(key):
    return False


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=30), st.integers(1, 4))
def test_each_change_is_followed_by_work_and_no_key_has_two_workers_at_a_time(changes, workers):
    asyncio.run(_check(changes, workers))


async def _check(changes, workers):
    state, observed, running = Counter(), {}, Counter()

    async def work(key):
        running[key] += 1
        assert running[key] == 1
        observed[key] = state[key]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        running[key] -= 1

    tasks = Queue(work, yields)
    tasks.start(workers)
    for key, pauses in changes:
        state[key] += 1
        tasks.add(key)
        for _ in range(pauses):
            await asyncio.sleep(0)
    for _ in range(8 * len(changes) + 8):
        await asyncio.sleep(0)
    assert observed == dict(state)
    assert tasks.depth == 0
    assert await tasks.stop(1)


async def test_changes_before_a_worker_is_free_are_coalesced():
    calls = []

    async def work(key):
        calls.append(key)

    tasks = Queue(work, yields)
    for _ in range(5):
        tasks.add("a")
    assert tasks.depth == 1
    tasks.start(1)
    await asyncio.sleep(0.01)
    assert calls == ["a"]
    await tasks.stop(1)


async def test_the_back_off_after_a_failure_doubles_to_its_limit(monkeypatch):
    monkeypatch.setattr(queue.random, "uniform", lambda low, high: high)
    tasks = Queue(None, yields)
    pauses = [tasks._backoff("a", Retry("no")) for _ in range(9)]
    assert pauses == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize("error", [Retry("known"), ValueError("unknown")], ids=["known", "unknown"])
async def test_failed_work_is_retried(monkeypatch, error):
    monkeypatch.setattr(queue, "FIRST_RETRY", 0.01)
    monkeypatch.setattr(queue, "SHORTEST_PAUSE", 0.0)
    calls, done = [], asyncio.Event()

    async def work(key):
        calls.append(key)
        if len(calls) == 1:
            raise error
        done.set()

    tasks = Queue(work, yields)
    tasks.start(1)
    tasks.add("a")
    await asyncio.wait_for(done.wait(), 5)
    await tasks.stop(1)


async def test_the_earliest_requested_time_counts_and_a_change_comes_at_once(monkeypatch):
    monkeypatch.setattr(queue, "SHORTEST_PAUSE", 0.0)
    worked = asyncio.Event()

    async def work(_):
        worked.set()

    tasks = Queue(work, yields)
    tasks.start(1)
    tasks.add_after("a", 1000)
    tasks.add_after("a", 0.05)
    tasks.add_after("a", 500)
    await asyncio.wait_for(worked.wait(), 2)
    worked.clear()
    tasks.add_after("a", 1000)
    tasks.add("a")
    await asyncio.wait_for(worked.wait(), 2)
    assert tasks._timers == {}
    await tasks.stop(1)


async def test_stopping_waits_for_running_work_and_starts_no_other():
    started, ended, calls = asyncio.Event(), asyncio.Event(), []

    async def work(key):
        calls.append(key)
        started.set()
        await ended.wait()
        return 0.0

    tasks = Queue(work, yields)
    tasks.start(1)
    tasks.add("a")
    tasks.add("b")
    await started.wait()
    stopping = asyncio.create_task(tasks.stop(5))
    await asyncio.sleep(0.01)
    tasks.add("c")
    ended.set()
    assert await stopping
    assert calls == ["a"]
    assert tasks._timers == {}


async def test_what_waits_for_a_time_is_hastened_when_the_clock_was_set():
    calls = []

    async def work(key):
        calls.append(key)

    tasks = Queue(work, yields)
    tasks.start(1)
    for key in ("a", "b"):
        tasks.add_after(key, 1000)
    tasks.hasten()
    await asyncio.sleep(0.01)
    assert calls == ["a", "b"]
    await tasks.stop(1)


async def test_stopping_cancels_work_that_does_not_end():
    async def work(_):
        await asyncio.Event().wait()

    tasks = Queue(work, yields)
    tasks.start(1)
    tasks.add("a")
    await asyncio.sleep(0.01)
    assert not await tasks.stop(0.05)


async def test_keys_that_yield_let_others_pass_for_a_while_only(monkeypatch):
    calls = []

    async def work(key):
        calls.append(key)

    tasks = Queue(work, str.isupper)
    monkeypatch.setattr(queue, "GRACE", -1.0)
    tasks.add("OLD")
    monkeypatch.setattr(queue, "GRACE", 60.0)
    for key in ("A", "B", "a", "b"):
        tasks.add(key)
    tasks.start(1)
    await asyncio.sleep(0.01)
    assert calls == ["OLD", "a", "b", "A", "B"]
    await tasks.stop(1)
