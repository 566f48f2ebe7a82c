"""What keeps a pod from running, in words."""

import pytest

from perennial.decide.kube import PodView
from perennial.decide.pods.diagnosis import trouble
from perennial_testing.specs.api_objects import NOW, ended

REFUSED = 'failed to resolve reference "a:1": connection refused'


@pytest.mark.parametrize(
    ("reason", "message"),
    [("ErrImagePull", REFUSED), ("ImagePullBackOff", f'Back-off pulling image "a:1": ErrImagePull: {REFUSED}')],
)
def test_a_pull_that_is_tried_again_is_told_in_the_same_words(reason: str, message: str) -> None:
    container = {"image": "a:1", "state": {"waiting": {"reason": reason, "message": message}}}
    found = trouble(PodView.of({"metadata": {"name": "p"}, "status": {"containerStatuses": [container]}}), NOW)
    assert found is not None
    assert (found.reason, found.message) == ("ImagePullFailed", f"Image a:1 can't be pulled: {REFUSED}")


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        pytest.param("EmptyCorpus", "EmptyCorpus", id="one that a condition can have"),
        pytest.param("out of disk", "ContainerFailed", id="a sentence"),
        pytest.param("A" * 200, "ContainerFailed", id="too long for an Event"),
        pytest.param("", "ContainerFailed", id="none"),
    ],
)
def test_the_reason_of_any_program_becomes_one_that_a_condition_can_have(reason: str, expected: str) -> None:
    message = {"perennial": "failure", "reason": reason, "message": "It is full."}
    container = {"state": ended(1, message)}
    cause = trouble(PodView.of({"metadata": {"name": "p"}, "status": {"containerStatuses": [container]}}), NOW)
    assert cause is not None
    assert (cause.reason, cause.message) == (expected, "It is full.")
