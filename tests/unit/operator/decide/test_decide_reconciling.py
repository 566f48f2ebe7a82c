"""Ready, Reconciling and Stalled of a LanguageModel: it is reconciled while its spec is being carried out.

A version that a trigger starts beside the service is no such thing, nor is what waits for a person.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest

from perennial.api import LanguageModel
from perennial.decide.language_model.children import deployment_spec
from perennial.decide.language_model.decide import decide
from perennial.decide.language_model.observed import Observed
from perennial_testing.specs import api_objects
from perennial_testing.specs.api_objects import DEFAULTS, DIGEST, NOW, deployment, language_model, training_job, true

WEEKLY = "weekly"
TRIGGERS = {"retraining": {"triggers": [{"name": WEEKLY, "schedule": {"cron": "0 3 * * 0"}}]}}
FIRST = ("Initial", "Accepted")


@dataclass(frozen=True)
class Case:
    """The versions, each with trigger and state, and which of the three conditions are true.

    service: type of the condition that its Deployment has, training: that of the TrainingJob of the newest version.
    """

    versions: tuple[tuple[str, str], ...]
    true: set[str]
    serving: int | None = 1
    service: str = "Ready"
    training: str = "Running"
    spec: dict[str, Any] = field(default_factory=dict)


def manual(approve: int | None = None) -> dict[str, Any]:
    return {"promotion": {"policy": "Manual"} | ({"approve": {"version": approve}} if approve else {})}


CASES = {
    "nothing yet, and suspended": Case((), set(), serving=None, spec={"suspend": True}),
    "the first training": Case((("Initial", "Training"),), {"Reconciling"}, serving=None),
    "the first training lacks a claim": Case((("Initial", "Training"),), {"Stalled"}, serving=None, training="Stalled"),
    "the first training is suspended": Case(
        (("Initial", "Training"),), set(), serving=None, training="Suspended", spec={"suspend": True}
    ),
    "the first training failed": Case((("Initial", "Failed"),), {"Stalled"}, serving=None),
    "the first version was refused": Case((("Initial", "Refused"),), {"Stalled"}, serving=None),
    "a retry of the first training": Case(
        (("Initial", "Failed"), ("Retry", "Training")), {"Reconciling"}, serving=None
    ),
    "the first version awaits approval": Case((FIRST,), set(), serving=None, spec=manual()),
    "the rollout of a promoted version": Case((FIRST,), {"Reconciling"}, service="Reconciling"),
    "a rollout that can't go on": Case((FIRST,), {"Stalled"}, service="Stalled"),
    "at rest": Case((FIRST,), {"Ready"}),
    "a wrong pin": Case((FIRST,), {"Ready", "Stalled"}, spec={"promotion": {"pin": {"version": 7}}}),
    "the training of a changed spec": Case((FIRST, ("SpecChanged", "Training")), {"Ready", "Reconciling"}),
    "a training of a changed spec lacks a claim": Case(
        (FIRST, ("SpecChanged", "Training")), {"Ready", "Stalled"}, training="Stalled"
    ),
    "a changed spec is suspended": Case(
        (FIRST, ("SpecChanged", "Training")), {"Ready"}, training="Suspended", spec={"suspend": True}
    ),
    "a retry of a changed spec": Case(
        (FIRST, ("SpecChanged", "Failed"), ("Retry", "Training")), {"Ready", "Reconciling"}
    ),
    "a trigger trains a changed spec that failed": Case(
        (FIRST, ("SpecChanged", "Failed"), (WEEKLY, "Training")), {"Ready", "Reconciling"}
    ),
    "a changed spec supersedes a retraining": Case(
        (FIRST, (WEEKLY, "Superseded"), ("SpecChanged", "Training")), {"Ready", "Reconciling"}
    ),
    "the correction of a retraining that failed": Case(
        (FIRST, (WEEKLY, "Failed"), ("SpecChanged", "Training")), {"Ready", "Reconciling"}
    ),
    "a changed spec was refused": Case((FIRST, ("SpecChanged", "Refused")), {"Ready"}),
    "a changed spec awaits approval": Case((FIRST, ("SpecChanged", "Accepted")), {"Ready"}, spec=manual(approve=1)),
    "a retraining": Case((FIRST, (WEEKLY, "Training")), {"Ready"}),
    "a retraining lacks a claim": Case((FIRST, (WEEKLY, "Training")), {"Ready", "Stalled"}, training="Stalled"),
    "a retry of a retraining": Case((FIRST, (WEEKLY, "Failed"), ("Retry", "Training")), {"Ready"}),
    "a retraining after a changed spec was refused": Case(
        (FIRST, ("SpecChanged", "Refused"), (WEEKLY, "Training")), {"Ready"}
    ),
    "a retraining beside a rollout": Case((FIRST, (WEEKLY, "Training")), {"Reconciling"}, service="Reconciling"),
    "a retraining while the first version awaits approval": Case(
        (FIRST, (WEEKLY, "Training")), set(), serving=None, spec=manual()
    ),
}


def model(case: Case) -> LanguageModel:
    versions = [
        api_objects.version(number, state, trigger=trigger, message="told", **_artifact(number, state))
        for number, (trigger, state) in enumerate(case.versions, start=1)
    ]
    serving = {"servingVersion": case.serving} if case.serving else {}
    return language_model({"versions": versions, "lastVersion": len(versions)} | serving, **(TRIGGERS | case.spec))


def _artifact(number: int, state: str) -> dict[str, Any]:
    artifact = {"uri": f"pvc://models/writer/v{number}-0f0e0d0c", "digest": DIGEST}
    return {"artifact": artifact} if state in ("Accepted", "Refused") else {}


def observed(case: Case) -> Observed:
    """The service of the promoted version, and the training of the newest one."""
    before, service = model(case), None
    if serving := before.status.serving_version:
        spec = deployment_spec(before, before.status.versions[serving - 1])
        conditions = [true("Ready")] if case.service == "Ready" else [true("Ready") | {"status": "False"}]
        status = {"observedGeneration": 1, "version": serving, "conditions": [*conditions, true(case.service)]}
        service = deployment(status, **spec)
    job = training_job({"conditions": [true(case.training)]}, suspend=case.training == "Suspended")
    return Observed(DEFAULTS, {f"writer-v{len(case.versions)}": job}, deployment=service)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_conditions(case: Case) -> None:
    outcome = decide(model(case), observed(case), NOW)
    assert [v.state for v in outcome.status.versions] == [state for _, state in case.versions]  # type: ignore[attr-defined]
    true = {condition.type for condition in outcome.status.conditions if condition.status == "True"}
    assert true & {"Ready", "Reconciling", "Stalled"} == case.true
