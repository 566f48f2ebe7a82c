"""The steps of the tasks with rows: each computes as many rows of the requests that run as the batch has places."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from typing import Any

from perennial_serving.engine.metrics import Metrics
from perennial_serving.inference.row import Row


@dataclass(eq=False)
class Job:
    """One request: its rows, and the results of the first of them. `deliver` gets all results, or an exception."""

    rows: Sequence[Row]
    deliver: Callable[[list[Any] | Exception], object]
    cancelled: bool = False
    results: list[Any] = field(default_factory=list)


class RowComputation:
    """A request of many rows takes several steps, between which others get their turn."""

    def __init__(
        self,
        compute: Callable[[Sequence[Row], Callable[[], list[bool]]], list[Any]],
        written: Callable[[Any], int],
        places: int,
        metrics: Metrics,
    ) -> None:
        self._compute = compute
        self._written = written
        self._places = places
        self._metrics = metrics

    def step(self, running: Sequence[Job]) -> list[Job]:
        """Computes the next rows; returns the requests that are answered by that."""
        picked = next_rows(running, self._places)
        results = self._compute([row for _, row in picked], lambda: [job.cancelled for job, _ in picked])
        self._metrics.prompts_read(len(row.ids) for _, row in picked)
        self._metrics.generated_tokens.inc(sum(map(self._written, results)))
        for (job, _), result in zip(picked, results, strict=True):
            job.results.append(result)
        ended = [job for job in running if len(job.results) == len(job.rows) and not job.cancelled]
        for job in ended:
            job.deliver(job.results)
        return ended


def next_rows(jobs: Sequence[Job], places: int) -> list[tuple[Job, Row]]:
    """A row of each request, then a second one of each, and so on until the places are taken."""
    waiting = [[(job, row) for row in job.rows[len(job.results) :][:places]] for job in jobs]
    return [pair for pair in chain.from_iterable(zip_longest(*waiting)) if pair][:places]
