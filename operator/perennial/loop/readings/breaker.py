"""The breaker between one namespace and one server. Pure: times are arguments, in seconds of one monotonic clock."""

from dataclasses import dataclass, replace

from perennial.loop.readings import limits


@dataclass(frozen=True)
class Breaker:
    """Opens after FAILURES in a row; then the server is asked one query per PAUSE, until it answers one.

    failures: in a row, with the reason of the last one.
    retry_time: before it, an open breaker lets no query through.
    """

    failures: int = 0
    reason: str = ""
    retry_time: float = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the server counts as broken."""
        return self.failures >= limits.FAILURES

    def wait(self, now: float, *, failed: bool) -> float:
        """Seconds until a query may be asked, 0 if it may be now; one that failed itself lets others try first."""
        if not self.is_open:
            return 0.0
        return max(self.retry_time + (limits.HEAD_START if failed else 0.0) - now, 0.0)

    def after_asking(self, now: float) -> "Breaker":
        """A query is on its way: no other one, if the breaker is open."""
        return replace(self, retry_time=now + limits.PAUSE)

    def after_failure(self, reason: str, now: float) -> "Breaker":
        """The server did not answer a query."""
        return Breaker(self.failures + 1, reason, now + limits.PAUSE)

    def after_answer(self) -> "Breaker":
        """The server answered a query, whatever it said."""
        return Breaker()
