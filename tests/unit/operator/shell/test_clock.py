"""The watch of the wall clock."""

import asyncio

import pytest

from perennial.loop import clock


@pytest.mark.parametrize(
    ("leads", "steps"),
    [
        pytest.param([9.0, 9.0, 9.0], 0, id="nothing happens"),
        pytest.param([9.0, 9.4, 9.8, 10.2], 0, id="it is slewed"),
        pytest.param([9.0, 3609.0, 3609.0], 1, id="set ahead by an hour"),
        pytest.param([9.0, -3591.0, -3591.0], 1, id="set back by an hour"),
        pytest.param([9.0, 3609.0, 9.0], 2, id="set ahead and back"),
    ],
)
async def test_each_step_of_the_clock_is_noticed_once(leads: list[float], steps: int) -> None:
    calls, rest = list[None](), list(leads)

    def lead() -> float:
        if len(rest) == 1:
            task.cancel()
        return rest.pop(0)

    task = asyncio.create_task(clock.watch(lambda: calls.append(None), lead, period_seconds=0))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(calls) == steps
