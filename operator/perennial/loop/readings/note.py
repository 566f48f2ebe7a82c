"""What the reader remembers of one query. Pure: times are arguments, in seconds of one monotonic clock."""

from dataclasses import dataclass, field

from perennial.decide.readings import Reading
from perennial.kube.keys import Key
from perennial.loop.readings import limits
from perennial.loop.readings.breaker import Breaker


@dataclass(frozen=True)
class Answer:
    """What a server said to a query, and when it was asked."""

    reading: Reading
    time: float


@dataclass
class Note:
    """The last answer to a query, why it could not be read since then, and when each object has last wanted it."""

    answer: Answer | None = None
    failure: str | None = None
    wanted: dict[Key, float] = field(default_factory=dict)

    def forget(self, now: float) -> None:
        """Drops the objects that no longer want it."""
        self.wanted = {key: time for key, time in self.wanted.items() if now - time <= limits.KEPT}

    def reading(self, breaker: Breaker, now: float) -> Reading | None:
        """The last answer while it counts, else why there is none; None before the first answer or failure."""
        if self.answer and now - self.answer.time <= limits.LONGEST_AGE:
            return self.answer.reading
        if self.failure or breaker.is_open:
            return self.failure or breaker.reason
        return f"not read for more than {limits.LONGEST_AGE:.0f} s" if self.answer else None
