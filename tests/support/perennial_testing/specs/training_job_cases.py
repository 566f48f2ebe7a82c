"""Cases of a TrainingJob: what is observed of a run, and what its status says."""

from dataclasses import dataclass, field
from typing import Any

from perennial.api import TrainingJob
from perennial.decide.kube import JobView, PodView
from perennial.decide.training_job.observed import Observed
from perennial_testing.specs.api_objects import DEFAULTS, training_job


def observe(*pods: dict[str, Any], job: dict[str, Any] | None = None, **more: Any) -> Observed:
    """A run whose Job and pods are these manifests."""
    seen = {
        "job": JobView.of(job) if job else None,
        "has_config": job is not None,
        "pods": tuple(map(PodView.of, pods)),
    }
    return Observed(DEFAULTS, **(seen | more))


@dataclass(frozen=True)
class StateCase:
    """What is observed of a run, and what its status says."""

    observed: Observed
    state: str
    reason: str
    message: str = ""
    stalled: bool = False
    job: TrainingJob = field(default_factory=training_job)
