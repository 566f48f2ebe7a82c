"""A training that can't run, and a spec that mends where or how it runs: storage, image, resources."""

from typing import Any

import pytest

from perennial.api import LanguageModel, TrainingJob
from perennial.decide.defaults import Defaults
from perennial.decide.language_model.decide import decide
from perennial.decide.language_model.observed import Observed
from perennial.decide.outcome import Outcome
from perennial_testing.specs.api_objects import NOW, language_model, training_job, true

MENDED: list[dict[str, Any]] = [
    {"storage": {"uri": "pvc://other"}},
    {"training": {"runtime": {"image": "registry.example/right:1"}}},
    {"training": {"compute": {"resources": {"limits": {"memory": "8Gi"}}}}},
]
STALLED = true("Stalled", "ImagePullFailed", "no image")


def after(spec: dict[str, Any], **status: Any) -> Outcome:
    """The look after a change of the spec while v1 is as its TrainingJob's status says."""
    begun = decide(language_model(), _seen(), NOW).status
    job = training_job(status)
    job = job.model_copy(update={"metadata": job.metadata.model_copy(update={"name": "writer-v1"})})
    changed: LanguageModel = language_model(begun.to_wire(), generation=2, **spec)
    return decide(changed, _seen(job), NOW)


def _seen(*jobs: TrainingJob) -> Observed:
    return Observed(Defaults("training:1", "serving:1"), training_jobs={job.metadata.name: job for job in jobs})


def states(outcome: Outcome) -> dict[int, str]:
    return {version.number: version.state for version in outcome.status.versions}  # type: ignore[attr-defined]


@pytest.mark.parametrize("spec", MENDED)
def test_a_training_that_could_not_start_is_begun_anew(spec: dict[str, Any]) -> None:
    assert states(after(spec, conditions=[STALLED])) == {1: "Superseded", 2: "Training"}


@pytest.mark.parametrize("spec", MENDED)
def test_a_training_that_failed_is_tried_anew(spec: dict[str, Any]) -> None:
    assert states(after(spec, conditions=[true("Failed")])) == {1: "Failed", 2: "Training"}


@pytest.mark.parametrize("spec", MENDED)
def test_a_training_that_gets_on_is_not_broken_off(spec: dict[str, Any]) -> None:
    progress = {"step": 5, "maxSteps": 10}
    assert states(after(spec, conditions=[true("Running")])) == {1: "Training"}
    assert states(after(spec, progress=progress)) == {1: "Training"}


def test_without_a_change_nothing_is_tried_again() -> None:
    assert states(after({}, conditions=[true("Failed")])) == {1: "Failed"}
    assert states(after({}, conditions=[STALLED])) == {1: "Training"}
