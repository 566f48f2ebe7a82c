"""Notices that the wall clock was set, so that who waits for a time does not wait by the old one."""

import asyncio
import logging
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

PERIOD_SECONDS = 15.0
SMALLEST_STEP_SECONDS = 5.0


def lead() -> float:
    """How far the wall clock is ahead of the monotonic one, in seconds."""
    return time.time() - time.monotonic()


async def watch(
    stepped: Callable[[], None], lead: Callable[[], float] = lead, period_seconds: float = PERIOD_SECONDS
) -> None:
    """Calls after each step of the wall clock."""
    before = lead()
    while True:
        await asyncio.sleep(period_seconds)
        now = lead()
        if abs(now - before) >= SMALLEST_STEP_SECONDS:
            logger.warning(
                "the clock was set by %+.0f s: all objects that wait for a time are reconciled", now - before
            )
            stepped()
        before = now
