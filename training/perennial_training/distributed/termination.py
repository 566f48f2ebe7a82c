"""SIGTERM: at once while nothing would be lost, at the end of a step while training."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from perennial_contract.exits import STOPPED, TERMINATED, Failure


class Termination:
    """Listens for SIGTERM. `requested` turns true only while the end is put off; else exits.Failure is raised."""

    def __init__(self) -> None:
        self.requested = False
        self._put_off = False
        signal.signal(signal.SIGTERM, self._on_signal)

    @contextmanager
    def put_off(self) -> Iterator[None]:
        """Within this block a SIGTERM only sets `requested`."""
        self._put_off = True
        try:
            yield
        finally:
            self._put_off = False

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if not self._put_off:
            raise Failure(STOPPED, "stopped by SIGTERM; it goes on where it can when started again", TERMINATED)
        self.requested = True
