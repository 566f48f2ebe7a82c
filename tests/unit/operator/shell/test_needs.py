"""What the observer must read for a TrainingJob, beyond what it knows already."""

from datetime import UTC, datetime
from typing import Any

import pytest

from perennial.decide.kube import JobView, PodView
from perennial.decide.training_job import needs
from perennial_testing.specs.api_objects import DIGEST, URI, cut_off, training_job

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def batch(*conditions: str) -> JobView:
    """A Job in which these conditions are true."""
    true = [{"type": name, "status": "True"} for name in conditions]
    return JobView.of(
        {
            "metadata": {"name": "writer-v1", "uid": "j"},
            "spec": {},
            "status": {"startTime": START.isoformat(), "conditions": true},
        }
    )


def pod(phase: str, index: int = 0, ended: bool = False, **status: Any) -> PodView:
    state: dict[str, Any] = {"terminated": {"exitCode": 0}} if ended else {"running": {}}
    return PodView.of(
        {
            "metadata": {
                "name": f"writer-v1-{index}",
                "labels": {"batch.kubernetes.io/job-completion-index": str(index)},
            },
            "status": {"phase": phase, "containerStatuses": [{"name": "training", "image": "a:1", "state": state}]}
            | status,
        }
    )


COMPARED = training_job(compareWith={"version": 1, "uri": "pvc://former/v1", "digest": DIGEST})


@pytest.mark.parametrize(
    ("job", "pods", "inputs", "comparison"),
    [
        pytest.param(None, [], ["pvc://corpus/train.txt", URI], ["pvc://former/v1"], id="there is no Job"),
        pytest.param(batch(), [pod("Pending")], ["pvc://corpus/train.txt", URI], ["pvc://former/v1"], id="a pod waits"),
        pytest.param(batch(), [pod("Running")], [], [], id="a pod runs"),
        pytest.param(batch("Complete"), [], [], [], id="the Job has ended"),
    ],
)
def test_what_a_comparison_needs_is_looked_for_apart_from_what_the_training_needs(
    job: JobView | None, pods: list[PodView], inputs: list[str], comparison: list[str]
) -> None:
    assert list(needs.inputs(COMPARED, job, pods)) == inputs
    assert list(needs.comparison(COMPARED, job, pods)) == comparison


@pytest.mark.parametrize(
    ("job", "pods", "needed"),
    [
        pytest.param(batch(), [], False, id="the Job runs"),
        pytest.param(batch("Complete"), [], True, id="the Job is complete, and no pod is cached"),
        pytest.param(batch("Failed"), [pod("Running")], True, id="the Job failed, and the cached pod still runs"),
        pytest.param(batch("Complete"), [pod("Succeeded", ended=True)], False, id="the cached pod has its result"),
        pytest.param(
            batch("Failed"),
            [pod("Failed", ended=True), pod("Running", 1)],
            True,
            id="one of two cached pods still runs",
        ),
    ],
)
def test_pods_are_read_from_the_server_once_the_job_ended_without_their_result(
    job: JobView, pods: list[PodView], needed: bool
) -> None:
    assert needs.final_pods(job, pods) is needed


@pytest.mark.parametrize(
    ("pods", "name"),
    [
        pytest.param([], None, id="no pod"),
        pytest.param([pod("Pending")], None, id="a pod that does not run yet"),
        pytest.param([pod("Running", 1)], None, id="a helper alone"),
        pytest.param([pod("Running", conditions=cut_off())], None, id="the leader on a node that does not report"),
        pytest.param([pod("Running", 1), pod("Running", 0)], "writer-v1-0", id="the leader beside a helper"),
    ],
)
def test_the_progress_is_in_the_log_of_the_running_leader(pods: list[PodView], name: str | None) -> None:
    leader = needs.log(pods)
    assert (leader.name if leader else None) == name
