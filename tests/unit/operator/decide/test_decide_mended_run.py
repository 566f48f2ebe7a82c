"""A training that can't run, and a spec that mends where or how it runs: storage, image, resources."""

from typing import Any

import pytest

from perennial.api import LanguageModel, TrainingJob
from perennial.decide.defaults import Defaults
from perennial.decide.fingerprint import fingerprint, run_fingerprint
from perennial.decide.language_model.decide import decide
from perennial.decide.language_model.observed import Observed
from perennial.decide.outcome import Outcome
from perennial_testing.specs.api_objects import NOW, language_model, training_job, true, version
from perennial_testing.specs.api_objects import after as later

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


def test_without_a_change_nothing_is_tried_again_at_once() -> None:
    assert states(after({}, conditions=[true("Failed")])) == {1: "Failed"}
    assert states(after({}, conditions=[STALLED])) == {1: "Training"}


def _failed(number: int, **more: Any) -> dict[str, Any]:
    """A version of language_model() that failed now."""
    spec = language_model().spec
    prints = {"fingerprint": fingerprint(spec), "runFingerprint": run_fingerprint(spec)}
    return version(number, "Failed", completionTime=NOW.isoformat(), **prints | more)


def _later(minutes: int, *versions: dict[str, Any], **spec: Any) -> Outcome:
    status = {"versions": list(versions), "lastVersion": versions[-1]["number"]}
    return decide(language_model(status, **spec), _seen(), later(minutes=minutes))


@pytest.mark.parametrize(("failures", "minutes"), [(1, 10), (2, 20), (3, 40)])
def test_a_failed_version_is_tried_again_ever_later(failures: int, minutes: int) -> None:
    versions = [_failed(n) for n in range(1, failures + 1)]
    early = _later(minutes - 1, *versions)
    assert failures + 1 not in states(early)
    assert early.again_at == later(minutes=minutes)
    outcome = _later(minutes, *versions)
    assert states(outcome)[failures + 1] == "Training"
    started = outcome.status.versions[-1]  # type: ignore[attr-defined]
    assert started.trigger == "Retry"
    assert outcome.status.decisions[-1].rule == "retraining.backoffLimit 3"  # type: ignore[attr-defined]


def test_a_failure_of_the_future_by_a_clock_that_was_set_back_is_not_waited_for() -> None:
    assert states(_later(-100_000, _failed(1)))[2] == "Training"


NO_RETRY: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "the limit is reached": ([_failed(n) for n in (1, 2, 3, 4)], {}),
    "the limit is 0": ([_failed(1)], {"retraining": {"backoffLimit": 0}}),
    "the model is suspended": ([_failed(1)], {"suspend": True}),
    "the newest one was trained": ([_failed(1), version(2, "Accepted")], {}),
    "the newest one was superseded": ([_failed(1, supersededTime=NOW.isoformat())], {"suspend": True}),
}


@pytest.mark.parametrize("case", NO_RETRY)
def test_nothing_is_tried_again_where(case: str) -> None:
    versions, spec = NO_RETRY[case]
    outcome = _later(10_000, *versions, **spec)
    assert outcome.status.last_version == versions[-1]["number"]  # type: ignore[attr-defined]


def test_a_success_begins_the_count_anew() -> None:
    versions = [_failed(1), _failed(2), version(3, "Refused"), _failed(4)]
    assert states(_later(10, *versions))[5] == "Training"
