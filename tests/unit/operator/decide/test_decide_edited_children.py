"""Children that someone has changed or deleted by hand become again what they were."""

from typing import Any

import pytest

from perennial.decide.deployment.decide import decide as decide_deployment
from perennial.decide.deployment.observed import Observed as DeploymentObserved
from perennial.decide.kube import JobView
from perennial.decide.training_job.decide import decide
from perennial.decide.training_job.job import batch_job
from perennial.decide.training_job.observed import Observed
from perennial_testing.specs.api_objects import DEFAULTS, NOW, deployment, training_job


def applied(has_config: bool = True, **edit: Any) -> list[str]:
    """The kinds that are applied for a TrainingJob whose Job has these fields by now."""
    job = training_job()
    batch = batch_job(job, Observed(DEFAULTS))
    seen = Observed(DEFAULTS, job=JobView.of(batch | {"spec": batch["spec"] | edit}), has_config=has_config)
    return [manifest["kind"] for manifest in decide(job, seen, NOW).apply]


@pytest.mark.parametrize("edit", [{"parallelism": 0}, {"suspend": True}])
def test_a_job_that_was_stopped_by_hand_goes_on(edit: dict[str, Any]) -> None:
    assert applied(**edit) == ["Job"], "an immutable ConfigMap, maybe of another version of the operator, stays"


def test_a_lost_configuration_is_made_again() -> None:
    assert applied(has_config=False) == ["ConfigMap"]


def test_what_is_as_it_should_be_is_left_alone() -> None:
    assert applied() == []


def test_a_paused_rollout_goes_on() -> None:
    apps, *_ = decide_deployment(deployment(), DeploymentObserved(DEFAULTS), NOW).apply
    assert apps["spec"]["paused"] is False
