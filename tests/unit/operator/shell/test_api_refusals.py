"""Errors of the API server: what is repeated, what is reported, and with what advice."""

from datetime import UTC, datetime

import pytest

from perennial.api import ModelDeployment
from perennial.decide.kube import condition
from perennial.kube.client import ApiError
from perennial.loop.refusals import Conflict, Refused, refused_status, translated, unreadable_status
from perennial_contract.text import shortened

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        pytest.param(ApiError(403, 'pods "a" is forbidden: exceeded quota: small.'), "Raise the quota", id="a quota"),
        pytest.param(ApiError(403, "forbidden"), "Grant it to the operator", id="a missing permission"),
        pytest.param(ApiError(422, "spec.x: Invalid value"), "Correct the spec.", id="an invalid value"),
        pytest.param(ApiError(500, "webhook failed"), "Correct the spec.", id="a failing webhook"),
    ],
)
def test_a_refusal_names_the_object_the_cause_and_the_advice(error: ApiError, advice: str) -> None:
    refused = translated("Job writer-v1", error)
    assert isinstance(refused, Refused)
    assert str(refused).startswith(f"Job writer-v1 was refused: {error.message.rstrip('.')}. {advice}")


def test_a_conflict_is_not_a_refusal() -> None:
    assert isinstance(translated("Job writer-v1", ApiError(409, "changed")), Conflict)


@pytest.mark.parametrize("status", [0, 429, 503])
def test_a_temporary_error_stays_one(status: int) -> None:
    error = ApiError(status, "busy")
    assert translated("Job writer-v1", error) is error
    assert error.is_temporary


def test_a_refusal_replaces_the_summary_and_keeps_the_other_conditions() -> None:
    obj = deployment()
    status = refused_status(obj, obj.status, "x" * 5000, NOW)
    stalled = condition(status, "Stalled")
    assert stalled
    assert (stalled.status, stalled.reason, len(stalled.message)) == ("True", "ApplyRefused", 2000)
    assert condition(status, "Available") == condition(obj.status, "Available")
    assert [each.type for each in status.conditions] == ["Ready", "Reconciling", "Stalled", "Available"]


def test_a_rollout_that_is_refused_does_not_progress() -> None:
    """Whatever its pods say: they are those of an earlier spec."""
    obj = deployment()
    rolling = obj.status.conditions[0].model_copy(update={"type": "Progressing", "reason": "RollingOut"})
    before = obj.status.model_copy(update={"conditions": [*obj.status.conditions, rolling]})
    status = refused_status(obj, before, "no", NOW)
    progressing = condition(status, "Progressing")
    assert progressing
    assert (progressing.status, progressing.reason, progressing.message) == ("False", "ApplyRefused", "no")
    assert sorted(each.type for each in status.conditions) == [
        "Available",
        "Progressing",
        "Ready",
        "Reconciling",
        "Stalled",
    ]


def test_an_unreadable_object_is_reported_once() -> None:
    at = {"name": "a", "namespace": "demo", "uid": "u", "resourceVersion": "7", "generation": 3}
    stored = {"apiVersion": "perennial.dev/v1alpha1", "kind": "TrainingJob", "metadata": at, "status": {"state": "x"}}
    body = unreadable_status(stored, "spec.model: field required", NOW)
    assert body
    assert "generation" not in body["metadata"]
    assert {each["reason"] for each in body["status"]["conditions"]} == {"Unreadable", "Idle"}
    assert unreadable_status(stored | {"status": body["status"]}, "spec.model: field required", NOW) is None
    assert unreadable_status(stored | {"status": body["status"]}, "another mistake", NOW)
    again = unreadable_status(
        stored | {"status": body["status"], "metadata": at | {"generation": 4}}, "spec.model: field required", NOW
    )
    assert again
    assert again["status"]["observedGeneration"] == 4


@pytest.mark.parametrize("length", [5, 6, 7])
def test_a_long_text_is_shortened_to_the_limit(length: int) -> None:
    text = shortened("abcdef", length)
    assert len(text) <= length
    assert text == "abcdef" or text.endswith("…")


def deployment() -> ModelDeployment:
    available = {
        "type": "Available",
        "status": "True",
        "reason": "MinimumReplicasAvailable",
        "message": "",
        "observedGeneration": 1,
        "lastTransitionTime": "2026-03-01T12:00:00Z",
    }
    model = {"name": "a", "task": "translation", "uri": "pvc://models/a", "digest": "sha256:" + "ab" * 32}
    return ModelDeployment.model_validate(
        {
            "metadata": {"name": "a", "namespace": "demo", "uid": "u"},
            "spec": {"model": model},
            "status": {"conditions": [available]},
        }
    )
