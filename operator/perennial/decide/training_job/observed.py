"""The observation that a decision on a TrainingJob is based on."""

from collections.abc import Iterable
from dataclasses import dataclass

from perennial.api import LanguageModel, TrainingJob
from perennial.decide.defaults import Defaults
from perennial.decide.kube import JobView, PodView
from perennial.decide.pods.template import Volumes
from perennial.decide.training_job.starting_model import base
from perennial_contract.job.storage import Credentials
from perennial_contract.result import Progress


@dataclass(frozen=True)
class Observed:
    """The children of a TrainingJob and the objects that it refers to.

    has_config: whether the ConfigMap with the configuration of its pods exists.
    pods: pods of the Job; read from the API server, not from the cache, once the Job has ended.
    missing: objects that the spec refers to and the namespace lacks, such as 'PersistentVolumeClaim "corpus"'.
    missing_comparison: the same of spec.compareWith, which the training can do without.
    progress: last progress line in the log of the running pod with index 0.
    refusal: message with which the API server refused a pod of the Job; read when a pod is overdue.
    language_model: the LanguageModel of an unresolved spec.model.languageModelRef.
    """

    defaults: Defaults
    job: JobView | None = None
    has_config: bool = False
    pods: tuple[PodView, ...] = ()
    missing: tuple[str, ...] = ()
    missing_comparison: tuple[str, ...] = ()
    progress: Progress | None = None
    refusal: str | None = None
    language_model: LanguageModel | None = None


def locations(job: TrainingJob) -> Iterable[str]:
    """Every URI in the spec that the pod reads or writes."""
    yield from required(job)
    yield from compared(job)


def required(job: TrainingJob) -> Iterable[str]:
    """The URIs without which there is no training."""
    data = job.spec.data
    yield from (source.uri for source in data.train)
    if data.validation.uri:
        yield data.validation.uri
    if start := base(job):
        yield start.uri
    yield job.spec.output.uri


def compared(job: TrainingJob) -> Iterable[str]:
    """The URI of the artifact to compare with, without which the training completes all the same."""
    if job.spec.compare_with:
        yield job.spec.compare_with.uri


def credentials(job: TrainingJob) -> Iterable[Credentials | None]:
    """The Secrets for the required URIs."""
    spec = job.spec
    places = (*spec.data.train, spec.data.validation, base(job), spec.output)
    return (place.credentials for place in places if place)


def mounts_comparison(job: TrainingJob, observed: Observed) -> bool:
    """Whether the pod mounts the claim of spec.compareWith: if it exists. An existing Job can't be changed."""
    if observed.job is None:
        return not observed.missing_comparison
    return observed.job.claims.issuperset(Volumes.of(compared(job)).claims)


def waits_for_comparison(job: TrainingJob, observed: Observed) -> bool:
    """Whether the Job mounts a claim that is gone and that only the comparison needs: its pods never start."""
    lacks_only_comparison = bool(set(observed.missing_comparison) - set(observed.missing))
    return observed.job is not None and lacks_only_comparison and mounts_comparison(job, observed)
