"""Observed state of a LanguageModel's children and metrics."""

from dataclasses import dataclass, field

from perennial.api import ModelDeployment, TrainingJob
from perennial.decide.defaults import Defaults
from perennial.decide.kube import JobView, PodView


@dataclass(frozen=True)
class StorageJob:
    """A Job that works on storage; refusal: why the API server refuses its pod, read when the pod is overdue."""

    job: JobView
    pods: tuple[PodView, ...] = ()
    refusal: str | None = None


@dataclass(frozen=True)
class Observed:
    """The children of one LanguageModel, and the metrics that it watches.

    training_jobs, storage_jobs: by name. A TrainingJob that the status speaks of and the cache lacks was looked up
    at the server, so that an absence here is one.
    readings: by name of the trigger its value, or why there is none; absent before the first one.
    """

    defaults: Defaults
    training_jobs: dict[str, TrainingJob] = field(default_factory=dict)
    storage_jobs: dict[str, StorageJob] = field(default_factory=dict)
    deployment: ModelDeployment | None = None
    readings: dict[str, float | str] = field(default_factory=dict)
