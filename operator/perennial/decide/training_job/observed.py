"""The observation that a decision on a TrainingJob is based on."""

from collections.abc import Iterable
from dataclasses import dataclass

from perennial.api import LanguageModel, TrainingJob
from perennial.decide.defaults import Defaults
from perennial.decide.kube import JobView, PodView
from perennial.decide.training_job.starting_model import base
from perennial_contract.job.storage import Credentials
from perennial_contract.result import Progress


@dataclass(frozen=True)
class Observed:
    """The children of a TrainingJob and the objects that it refers to.

    has_config: whether the ConfigMap with the configuration of its pods exists.
    pods: pods of the Job; read from the API server, not from the cache, once the Job has ended.
    missing: objects that the spec refers to and the namespace lacks, such as 'PersistentVolumeClaim "corpus"'.
    progress: last progress line in the log of the running pod with index 0.
    refusal: message with which the API server refused a pod of the Job; read when a pod is overdue.
    language_model: the LanguageModel of an unresolved spec.model.languageModelRef.
    """

    defaults: Defaults
    job: JobView | None = None
    has_config: bool = True
    pods: tuple[PodView, ...] = ()
    missing: tuple[str, ...] = ()
    progress: Progress | None = None
    refusal: str | None = None
    language_model: LanguageModel | None = None


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
