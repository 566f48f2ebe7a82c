"""When a LanguageModel is being reconciled: what its spec asks for is not there yet, and comes without a person."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from perennial.api import LanguageModel
from perennial.decide.language_model.children import deployment_spec
from perennial.decide.language_model.decide import decide
from perennial.decide.language_model.observed import Observed
from perennial_testing.specs import api_objects
from perennial_testing.specs.api_objects import DEFAULTS, DIGEST, NOW, deployment, language_model, true

Versions = tuple[tuple[str, str], ...]
WEEKLY = "weekly"
TRIGGERS = {"retraining": {"triggers": [{"name": WEEKLY, "schedule": {"cron": "0 3 * * 0"}}]}}


@dataclass(frozen=True)
class Case:
    """The versions, each with trigger and state; what Ready and Reconciling say. Version 1 is served, if it can be."""

    versions: Versions
    ready: bool
    reconciling: bool
    service_ready: bool = True
    spec: dict[str, Any] = field(default_factory=dict)


FIRST = ("Initial", "Accepted")
CASES = {
    "the first training": Case((("Initial", "Training"),), ready=False, reconciling=True),
    "a retry of the first training": Case(
        (("Initial", "Failed"), ("Retry", "Training")), ready=False, reconciling=True
    ),
    "at rest": Case((FIRST,), ready=True, reconciling=False),
    "the rollout of a promoted version": Case((FIRST,), ready=False, reconciling=True, service_ready=False),
    "the training of a changed spec": Case((FIRST, ("SpecChanged", "Training")), ready=True, reconciling=True),
    "a retry of a changed spec": Case(
        (FIRST, ("SpecChanged", "Failed"), ("Retry", "Training")), ready=True, reconciling=True
    ),
    "a trigger trains a changed spec that failed": Case(
        (FIRST, ("SpecChanged", "Failed"), (WEEKLY, "Training")), ready=True, reconciling=True
    ),
    "a changed spec supersedes a retraining": Case(
        (FIRST, (WEEKLY, "Superseded"), ("SpecChanged", "Training")), ready=True, reconciling=True
    ),
    "the correction of a retraining that failed": Case(
        (FIRST, (WEEKLY, "Failed"), ("SpecChanged", "Training")), ready=True, reconciling=True
    ),
    "a retraining": Case((FIRST, (WEEKLY, "Training")), ready=True, reconciling=False),
    "a retry of a retraining": Case((FIRST, (WEEKLY, "Failed"), ("Retry", "Training")), ready=True, reconciling=False),
    "a retraining after a changed spec was refused": Case(
        (FIRST, ("SpecChanged", "Refused"), (WEEKLY, "Training")), ready=True, reconciling=False
    ),
    "a retraining beside a service that is not ready": Case(
        (FIRST, (WEEKLY, "Training")), ready=False, reconciling=True, service_ready=False
    ),
    "a suspended training": Case(
        (FIRST, ("SpecChanged", "Training")), ready=True, reconciling=False, spec={"suspend": True}
    ),
    "a version that awaits approval beside the service": Case(
        (FIRST, ("SpecChanged", "Accepted")), ready=True, reconciling=False,
        spec={"promotion": {"policy": "Manual", "approve": {"version": 1}}},
    ),
}  # fmt: skip


def model(case: Case) -> LanguageModel:
    versions = [
        api_objects.version(number, state, trigger=trigger, message="told", **_artifact(number, state))
        for number, (trigger, state) in enumerate(case.versions, start=1)
    ]
    serving = {"servingVersion": 1} if case.versions[0] == FIRST else {}
    status = {"versions": versions, "lastVersion": len(versions)} | serving
    return language_model(status, **(TRIGGERS | case.spec))


def _artifact(number: int, state: str) -> dict[str, Any]:
    artifact = {"uri": f"pvc://models/writer/v{number}-0f0e0d0c", "digest": DIGEST}
    return {"artifact": artifact} if state in ("Accepted", "Refused") else {}


def observed(before: LanguageModel, ready: bool) -> Observed:
    """A service of the promoted version."""
    number = before.status.serving_version
    if number is None:
        return Observed(DEFAULTS)
    status = {"observedGeneration": 1, "version": number if ready else None, "conditions": [true("Ready")]}
    spec = deployment_spec(before, before.status.versions[number - 1])
    return Observed(DEFAULTS, deployment=deployment(status, **spec))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_reconciling(case: Case) -> None:
    before = model(case)
    outcome = decide(before, observed(before, case.service_ready), NOW)
    assert [v.state for v in outcome.status.versions] == [state for _, state in case.versions]  # type: ignore[attr-defined]
    conditions = {condition.type: condition.status == "True" for condition in outcome.status.conditions}
    assert (conditions["Ready"], conditions["Reconciling"]) == (case.ready, case.reconciling)
    assert not conditions["Stalled"]
