"""What a decision on a TrainingJob looks at."""

from collections.abc import Iterable
from dataclasses import dataclass

from perennial.api import LanguageModel, TrainingJob
from perennial.api.common import Credentials
from perennial.decide.defaults import Defaults
from perennial.decide.kube import JobView, PodView
from perennial.decide.training_job.starting_model import base
from perennial_contract.result import Progress


@dataclass(frozen=True)
class Observed:
    """The children of one TrainingJob, and what its pod says.

    has_config: whether the ConfigMap with the configuration of its pods is there.
    pods: the pods of the Job; read from the server, not from the cache, once the Job has ended.
    missing: what the spec refers to and the namespace lacks, such as 'PersistentVolumeClaim "corpus"'.
    progress: the last progress line in the log of the running pod of index 0.
    refusal: why the Job could not make a pod, in the words of the API server; asked for when one is overdue.
    awaited: the LanguageModel that is to be continued from, as long as the status does not say what that means.
    """

    defaults: Defaults
    job: JobView | None = None
    has_config: bool = True
    pods: tuple[PodView, ...] = ()
    missing: tuple[str, ...] = ()
    progress: Progress | None = None
    refusal: str | None = None
    awaited: LanguageModel | None = None


def locations(job: TrainingJob) -> Iterable[str]:
    """Every URI in the spec that the pod reads or writes."""
    data = job.spec.data
    yield from (source.uri for source in data.train)
    if data.validation.uri:
        yield data.validation.uri
    if start := base(job):
        yield start.uri
    if job.spec.compare_with:
        yield job.spec.compare_with.uri
    yield job.spec.output.uri


def credentials(job: TrainingJob) -> Iterable[Credentials | None]:
    """The Secrets for those URIs."""
    spec = job.spec
    places = (*spec.data.train, spec.data.validation, base(job), spec.compare_with, spec.output)
    return (place.credentials for place in places if place)
