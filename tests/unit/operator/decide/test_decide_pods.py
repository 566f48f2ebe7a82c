"""What keeps a pod from running, in words."""

import pytest
from given import NOW

from perennial.decide.kube import PodView
from perennial.decide.pods.diagnosis import trouble

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
