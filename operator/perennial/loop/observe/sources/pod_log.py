"""Progress of a training, from JSON lines among the other output in its pod's log, which is not trusted."""

import logging

from perennial.api import TrainingJob
from perennial.decide.kube import PodView
from perennial.decide.training_job.job import CONTAINER
from perennial.kube.client import ApiError, Cluster
from perennial.kube.keys import Key
from perennial.loop import logs
from perennial_contract.result import Progress

logger = logging.getLogger(__name__)

_LINES = 50
_BYTES = 64 * 1024


class PodLog:
    """Reads the tail of a pod's log."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def progress(self, pod: PodView, job: TrainingJob) -> Progress | None:
        """The last report in the log; None if the log can't be read or has none."""
        try:
            log = await self._cluster.log_tail(pod.namespace, pod.name, CONTAINER, _LINES, _BYTES)
        except ApiError as error:  # the container is starting or has just ended, or its node is unreachable
            logs.of(logger, Key.of(job)).debug("log of pod %s not read: %s", pod.name, error)
            return None
        return last_progress(log, job.status.progress)


def last_progress(log: str, before: Progress | None = None) -> Progress | None:
    """The last valid report in the log; a missing validation loss is that of the reports before it."""
    reports = [report for line in log.splitlines() if (report := Progress.of_line(line))]
    if not reports:
        return None
    losses = [each.validation_loss for each in (before, *reports) if each and each.validation_loss is not None]
    return reports[-1].model_copy(update={"validation_loss": losses[-1] if losses else None})
