"""A training that continues from a version of a LanguageModel: which one, and what is told until it is there."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from perennial.api import LanguageModel, TrainingJob
from perennial.decide.fingerprint import fingerprint
from perennial.decide.kube import JobView, PodView
from perennial.decide.training_job.decide import decide
from perennial.decide.training_job.observed import Observed, locations
from perennial_testing.specs.api_objects import (
    DEFAULTS,
    DIGEST,
    FACTS,
    NOW,
    after,
    batch_job,
    language_model,
    pod,
    training_job,
)

V3 = {"version": 3, "uri": "s3://models/base/v3", "digest": DIGEST, "credentials": {"secretName": "storage"}}


def continued(status: dict[str, Any] | None = None, version: int | None = None, **spec: Any) -> TrainingJob:
    model = {"architecture": None, "languageModelRef": {"name": "base", "version": version}}
    return training_job(status, model=model, **spec)


def version(number: int, state: str = "Accepted", **more: Any) -> dict[str, Any]:
    artifact = {"uri": f"s3://models/base/v{number}", "digest": DIGEST}
    return {
        "number": number, "state": state, "trigger": "Initial", "fingerprint": "a", "trainingJob": f"base-v{number}",
        "uri": artifact["uri"], "startTime": NOW.isoformat(), "artifact": None if state == "Training" else artifact,
    } | FACTS[state] | more  # fmt: skip


def base(*versions: dict[str, Any], serving: int | None = None) -> LanguageModel:
    newest = max((known["number"] for known in versions), default=0)
    return language_model(
        {"versions": list(versions), "servingVersion": serving, "lastVersion": newest},
        storage={"uri": "s3://models", "credentials": {"secretName": "storage"}},
    )


def seen(model: LanguageModel | None, **more: Any) -> Observed:
    return Observed(DEFAULTS, language_model=model, **more)


FOUND = {
    "The version in service, where none is named": (None, base(version(3), version(4), serving=3)),
    "The version that is named, whatever is in service": (3, base(version(3), version(4), serving=4)),
    "One that was refused there may be right here": (3, base(version(3, "Refused"), version(4), serving=4)),
}


@pytest.mark.parametrize("case", FOUND)
def test_what_is_continued_from_is_stored_before_anything_is_started(case: str) -> None:
    number, model = FOUND[case]
    first = decide(continued(version=number), seen(model), NOW)
    assert first.status.base
    assert first.status.base.to_wire() == V3
    assert first.apply == ()
    then = continued(first.status.to_wire(), version=number)
    other = base(version(7), serving=7)  # it has moved on meanwhile
    second = decide(then, seen(other), after(seconds=1))
    assert [manifest["kind"] for manifest in second.apply] == ["ConfigMap", "Job"]
    assert second.status.base == first.status.base


def test_the_pod_is_told_of_an_artifact_and_mounts_what_it_needs_to_read_it() -> None:
    job = continued({"base": V3})
    configuration, batch = decide(job, seen(None), NOW).apply
    assert json.loads(configuration["data"]["job.json"])["model"] == {
        "pretrained": {name: value for name, value in V3.items() if name != "version"}
    }
    volumes = batch["spec"]["template"]["spec"]["volumes"]
    assert "storage" in {volume["secret"]["secretName"] for volume in volumes if "secret" in volume}
    assert V3["uri"] in locations(job)


@dataclass(frozen=True)
class NotFoundCase:
    """The version that the reference names, the LanguageModel, and what the conditions say."""

    model: LanguageModel | None
    message: str
    version: int | None = None
    stalled: bool = False


NOT_FOUND = {
    "There is no such LanguageModel": NotFoundCase(
        model=None, message='LanguageModel "base" not found in namespace "demo"', stalled=True
    ),
    "Its first version is in training": NotFoundCase(
        model=base(version(1, "Training")), message='Waits for LanguageModel "base" to have a version in service'
    ),
    "It was created this moment": NotFoundCase(model=base(), message="to have a version in service"),
    "The version is in training": NotFoundCase(
        version=2,
        model=base(version(1), version(2, "Training"), serving=1),
        message="Waits for version 2 of LanguageModel",
    ),
    "The version is still to come": NotFoundCase(
        version=5, model=base(version(1), serving=1), message="Waits for version 5"
    ),
    "Its training failed": NotFoundCase(
        version=2,
        model=base(version(1), version(2, "Failed", artifact=None), serving=1),
        message="versions that have one: 1.",
        stalled=True,
    ),
    "Its artifact is being deleted": NotFoundCase(
        version=1,
        model=base(version(1, artifactState="Deleting"), version(2), serving=2),
        message="versions that have one: 2.",
        stalled=True,
    ),
    "It is forgotten": NotFoundCase(
        version=1, model=base(version(3), version(4), serving=4), message="versions that have one: 3, 4.", stalled=True
    ),
}


@pytest.mark.parametrize("case", NOT_FOUND.values(), ids=NOT_FOUND)
def test_what_is_not_there_is_told_and_looked_for_again(case: NotFoundCase) -> None:
    outcome = decide(continued(version=case.version), seen(case.model), NOW)
    (ready,) = [condition for condition in outcome.status.conditions if condition.type == "Ready"]
    assert ready.reason == "BaseNotFound"
    assert case.message in ready.message
    assert {c.type: c.status for c in outcome.status.conditions}["Stalled"] == str(case.stalled)
    assert (outcome.apply, outcome.again_at, outcome.status.base) == ((), after(seconds=10), None)


def test_a_suspended_run_that_waits_for_its_base_starts_nothing() -> None:
    outcome = decide(continued(suspend=True), seen(None), NOW)
    assert (outcome.status.state, outcome.apply) == ("Suspended", ())


def test_a_base_that_went_does_a_running_training_no_harm() -> None:
    status = {"base": V3, "state": "Running"}
    outcome = decide(
        continued(status), seen(None, pods=(PodView.of(pod("Running")),), job=JobView.of(batch_job())), NOW
    )
    assert (outcome.status.state, outcome.status.base) == ("Running", continued(status).status.base)


def test_another_base_is_another_model_but_a_newer_version_of_it_is_not() -> None:
    specs = [
        language_model(model={"architecture": None, "languageModelRef": reference}).spec
        for reference in ({"name": "a"}, {"name": "b"}, {"name": "a", "version": 1})
    ]
    assert len(set(map(fingerprint, specs))) == 3
