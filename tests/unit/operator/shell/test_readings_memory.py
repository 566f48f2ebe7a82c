"""The reader's memory, pure: the breaker of a server, and the note of a query."""

from dataclasses import dataclass

import pytest

from perennial.kube.keys import Key
from perennial.loop.readings.breaker import Breaker
from perennial.loop.readings.limits import DEADLINE, FAILURES, HEAD_START, KEPT, LONGEST_AGE, PAUSE, REFRESH
from perennial.loop.readings.note import Answer, Note

CLOSED = Breaker()
KEY, OTHER = Key("LanguageModel", "demo", "one"), Key("Deployment", "demo", "two")


def failed(times: int, now: float = 0.0, breaker: Breaker = CLOSED) -> Breaker:
    for _ in range(times):
        breaker = breaker.after_asking(now).after_failure("refused", now)
    return breaker


OPEN = failed(FAILURES)


@dataclass(frozen=True)
class Wait:
    """A breaker, a time, and how long a query waits that was answered last, and one that failed last."""

    breaker: Breaker
    now: float
    answered: float
    failed: float


WAITS = {
    "A new server is asked": Wait(CLOSED, 0, answered=0, failed=0),
    "Queries at a time are asked": Wait(CLOSED.after_asking(0), 0, answered=0, failed=0),
    "Some failures change nothing": Wait(failed(FAILURES - 1), 0, answered=0, failed=0),
    "One more opens it": Wait(OPEN, 0, answered=PAUSE, failed=PAUSE + HEAD_START),
    "The pause goes by": Wait(OPEN, 4, answered=PAUSE - 4, failed=PAUSE + HEAD_START - 4),
    "After the pause others try first": Wait(OPEN, PAUSE, answered=0, failed=HEAD_START),
    "Then those that failed": Wait(OPEN, PAUSE + HEAD_START, answered=0, failed=0),
    "One at a time": Wait(OPEN.after_asking(PAUSE), PAUSE, answered=PAUSE, failed=PAUSE + HEAD_START),
    "Another failure is another pause": Wait(failed(1, PAUSE, OPEN), PAUSE, answered=PAUSE, failed=PAUSE + HEAD_START),
    "An answer closes it": Wait(OPEN.after_answer(), 0, answered=0, failed=0),
    "Failures count in a row only": Wait(
        failed(1, breaker=failed(FAILURES - 1).after_answer()), 0, answered=0, failed=0
    ),
}


@pytest.mark.parametrize("case", WAITS.values(), ids=WAITS)
def test_wait(case: Wait) -> None:
    assert case.breaker.wait(case.now, failed=False) == case.answered
    assert case.breaker.wait(case.now, failed=True) == case.failed


def test_a_try_ends_before_the_next_one() -> None:
    assert DEADLINE < PAUSE


def test_slow_queries_that_open_it_again_and_again_make_no_value_too_old() -> None:
    """Answered at 0, kept away by failures at the deadline, and answered again after the pause."""
    assert DEADLINE + PAUSE + DEADLINE <= LONGEST_AGE


def test_one_lost_reading_makes_no_value_too_old() -> None:
    assert 2 * (REFRESH + DEADLINE) <= LONGEST_AGE


@dataclass(frozen=True)
class Known:
    """What is known 100 s after the start, and what an object is told."""

    note: Note
    reading: float | str | None
    breaker: Breaker = CLOSED


NEW, OLD = 100 - LONGEST_AGE, 100 - LONGEST_AGE - 1
TOO_OLD = f"not read for more than {LONGEST_AGE:.0f} s"
KNOWN = {
    "Nothing yet": Known(Note(), None),
    "A value": Known(Note(Answer(1.5, NEW)), 1.5),
    "Zero is a value": Known(Note(Answer(0.0, NEW)), 0.0),
    "The server says why there is none": Known(Note(Answer("no data", NEW)), "no data"),
    "A value that is too old": Known(Note(Answer(1.5, OLD)), TOO_OLD),
    "A reason that is too old": Known(Note(Answer("no data", OLD)), TOO_OLD),
    "A failure": Known(Note(failure="silent"), "silent"),
    "A value counts for a while in spite of a failure": Known(Note(Answer(1.5, NEW), failure="silent"), 1.5),
    "Then the failure is told": Known(Note(Answer(1.5, OLD), failure="silent"), "silent"),
    "Not asked yet, since the server is broken": Known(Note(), "refused", breaker=OPEN),
    "Its own failure is told before that of others": Known(Note(failure="silent"), "silent", breaker=OPEN),
    "A value counts for a while in spite of the breaker": Known(Note(Answer(1.5, NEW)), 1.5, breaker=OPEN),
    "Then why the server is broken": Known(Note(Answer(1.5, OLD)), "refused", breaker=OPEN),
    "Some failures of others say nothing": Known(Note(), None, breaker=failed(FAILURES - 1)),
}


@pytest.mark.parametrize("case", KNOWN.values(), ids=KNOWN)
def test_reading(case: Known) -> None:
    assert case.note.reading(case.breaker, 100) == case.reading


def test_an_object_that_no_longer_wants_it_is_forgotten() -> None:
    note = Note(wanted={KEY: 0.0, OTHER: 1.0})
    note.forget(KEPT)
    assert note.wanted.keys() == {KEY, OTHER}
    note.forget(KEPT + 0.5)
    assert note.wanted.keys() == {OTHER}
