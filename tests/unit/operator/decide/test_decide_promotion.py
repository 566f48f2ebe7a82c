"""Which version is served under each policy, what suspension holds, and how the list of versions stays bounded."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from perennial.api import LanguageModel, TrainingJob
from perennial.api.status import Condition
from perennial.decide.kube import JobView
from perennial.decide.language_model.decide import decide
from perennial.decide.language_model.observed import Observed, StorageJob
from perennial.decide.outcome import Manifest, Outcome
from perennial_testing.specs import api_objects
from perennial_testing.specs.api_objects import DEFAULTS, DIGEST, NOW, language_model, result, true
from perennial_testing.specs.small_manifests import merged

Promotion = dict[str, Any]
CHANGED = {"training": {"hyperparameters": {"seed": 7}}}


def version(number: int, state: str = "Accepted", **fields: Any) -> dict[str, Any]:
    uri = f"pvc://models/writer/v{number}-0f0e0d0c"
    artifact = {"artifact": {"uri": uri, "digest": DIGEST}} if state in ("Accepted", "Refused") else {}
    return api_objects.version(number, state, **{"message": "a message"} | artifact | fields)


def model(*versions: dict[str, Any], serving: int | None = None, **spec: Any) -> LanguageModel:
    last = max((v["number"] for v in versions), default=0)
    status = {"versions": list(versions), "lastVersion": last} | ({"servingVersion": serving} if serving else {})
    return language_model(status, **spec)


def reconcile(before: LanguageModel, *jobs: TrainingJob, cleanups: dict[str, StorageJob] | None = None) -> Outcome:
    return decide(before, Observed(DEFAULTS, {job.metadata.name: job for job in jobs}, cleanups or {}), NOW)


def condition(outcome: Outcome, type_: str) -> Condition:
    return next(c for c in outcome.status.conditions if c.type == type_)  # type: ignore[attr-defined]


def reasons(outcome: Outcome) -> list[str]:
    """Of the decisions."""
    return [decision.reason for decision in outcome.status.decisions]  # type: ignore[attr-defined]


def manual(approve: int | None = None, pin: int | None = None) -> Promotion:
    chosen = {"approve": approve, "pin": pin}
    return {"policy": "Manual"} | {name: {"version": number} for name, number in chosen.items() if number}


@dataclass(frozen=True)
class Case:
    """The versions, what is served before and after, and what the condition Promoted says."""

    versions: tuple[dict[str, Any], ...]
    promotion: Promotion
    before: int | None
    after: int | None
    promoted: str
    decided: tuple[str, ...] = field(default=())


POLICIES = {
    "the first version waits as well": Case(
        (version(1),), manual(), before=None, after=None, promoted="AwaitingApproval"
    ),
    "an approved version goes into service": Case(
        (version(1), version(2)), manual(approve=2), before=1, after=2, promoted="Promoted",
        decided=("VersionPromoted",),
    ),
    "a version that is not approved waits": Case(
        (version(1), version(2)), manual(approve=1), before=1, after=1, promoted="AwaitingApproval"
    ),
    "an approval names exactly one version": Case(
        (version(1), version(2), version(3)), manual(approve=2), before=1, after=2, promoted="AwaitingApproval",
        decided=("VersionPromoted",),
    ),
    "an approval may be given before the training": Case(
        (version(1),), manual(approve=2), before=1, after=1, promoted="Promoted"
    ),
    "a refused version is not served by an approval": Case(
        (version(1), version(2, "Refused")), manual(approve=2), before=1, after=1, promoted="Promoted"
    ),
    "a pin wins over an approval": Case(
        (version(1), version(2)), manual(approve=2, pin=1), before=2, after=1, promoted="Pinned",
        decided=("VersionRolledBack",),
    ),
    "a pin needs no approval": Case(
        (version(1), version(2)), manual(pin=2), before=1, after=2, promoted="Promoted", decided=("VersionPromoted",)
    ),
    "after a pin the approved version comes back": Case(
        (version(1), version(2), version(3)), manual(approve=2), before=3, after=2, promoted="AwaitingApproval",
        decided=("VersionRolledBack",),
    ),
    "Manual without an approval leaves what is served": Case(
        (version(1), version(2)), manual(), before=2, after=2, promoted="Promoted"
    ),
    "Automatic waits for nobody": Case(
        (version(1), version(2)), {"policy": "Automatic"}, before=1, after=2, promoted="Promoted",
        decided=("VersionPromoted",),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", POLICIES.values(), ids=POLICIES)
def test_policy(case: Case) -> None:
    outcome = reconcile(model(*case.versions, serving=case.before, promotion=case.promotion))
    assert outcome.status.serving_version == case.after  # type: ignore[attr-defined]
    assert condition(outcome, "Promoted").reason == case.promoted
    assert tuple(reasons(outcome)) == case.decided


def test_what_waits_for_approval_is_not_stalled_and_says_what_to_set() -> None:
    outcome = reconcile(model(version(1), promotion=manual()))
    statuses = {c.type: c.status for c in outcome.status.conditions}  # type: ignore[attr-defined]
    assert (statuses["Ready"], statuses["Reconciling"], statuses["Stalled"]) == ("False", "False", "False")
    for type_ in ("Ready", "Promoted"):
        assert condition(outcome, type_).reason == "AwaitingApproval"
        assert condition(outcome, type_).message == (
            "v1 passed its gates; set spec.promotion.approve.version to 1 to serve it."
        )


@pytest.mark.parametrize("number", [2, 3])
def test_an_approval_that_can_never_be_followed_is_refused_in_a_sentence(number: int) -> None:
    versions = (version(1), version(2, "Refused"), version(3, "Failed"), version(4))
    outcome = reconcile(model(*versions, serving=1, promotion=manual(approve=number)))
    stalled = condition(outcome, "Stalled")
    assert (stalled.status, stalled.reason) == ("True", "InvalidSpec")
    assert f"spec.promotion.approve names version {number}, which has not passed its gates" in stalled.message
    assert "versions that can be approved: 1, 4;" in stalled.message


def test_the_decision_on_a_version_that_waits_says_so() -> None:
    outcome = reconcile(model(version(1), version(2, "Training"), serving=1, promotion=manual()), completed(2))
    (decision,) = outcome.status.decisions  # type: ignore[attr-defined]
    assert (decision.reason, decision.outcome) == (
        "VersionAccepted",
        "v2 was accepted and awaits spec.promotion.approve",
    )
    assert condition(outcome, "Promoted").reason == "AwaitingApproval"


def job(number: int, *conditions: str, suspend: bool = False, **status: Any) -> TrainingJob:
    """The TrainingJob of a version, with what the API server and its user left in it."""
    training = {"hyperparameters": {"maxSteps": 20}}
    spec = merged(
        language_model().spec.to_wire(),
        {"output": {"uri": f"pvc://models/writer/v{number}-0f0e0d0c"}, "suspend": suspend, "training": training},
    )
    at = {"name": f"writer-v{number}", "namespace": "demo", "uid": f"job-{number}"}
    conditions_ = [true(type_) for type_ in conditions]
    return TrainingJob.model_validate({"metadata": at, "spec": spec, "status": {"conditions": conditions_} | status})


def completed(number: int) -> TrainingJob:
    return job(number, "Complete", result=result(2.0, f"pvc://models/writer/v{number}-0f0e0d0c"))


def trainings(outcome: Outcome) -> list[Manifest]:
    return [manifest for manifest in outcome.apply if manifest["kind"] == "TrainingJob"]


def test_a_suspended_model_starts_no_first_version() -> None:
    outcome = reconcile(model(suspend=True))
    assert (reasons(outcome), outcome.apply) == ([], ())
    for type_ in ("Ready", "Suspended"):
        assert condition(outcome, type_).reason == "Suspended"
    assert condition(outcome, "Reconciling").status == "False"
    assert "no version is started; no version is in service" in condition(outcome, "Suspended").message


def test_a_suspended_model_creates_no_training_that_was_allotted() -> None:
    assert trainings(reconcile(model(version(1, "Training"), suspend=True))) == []


def test_suspension_suspends_the_training_with_its_own_spec_and_leaves_the_service() -> None:
    running = job(2, "Running")
    before = model(version(1), version(2, "Training"), serving=1, suspend=True)
    outcome = reconcile(before, running)
    (manifest,) = trainings(outcome)
    assert manifest["spec"] == running.spec.to_wire() | {"suspend": True}
    assert [m["kind"] for m in outcome.apply if m["kind"] == "Deployment"] == ["Deployment"]
    assert "training of v2 is being suspended; v1 stays in service" in condition(outcome, "Suspended").message
    then = reconcile(before, job(2, "Suspended", suspend=True))
    assert trainings(then) == []
    assert "training of v2 is suspended;" in condition(then, "Suspended").message


def test_a_resumed_model_resumes_the_training() -> None:
    suspended = job(1, "Suspended", suspend=True)
    (manifest,) = trainings(reconcile(model(version(1, "Training")), suspended))
    assert manifest["spec"] == suspended.spec.to_wire() | {"suspend": False}


def test_a_training_that_has_ended_is_left_alone() -> None:
    assert trainings(reconcile(model(version(1, "Training"), suspend=True), completed(1))) == []


def test_a_change_of_the_spec_supersedes_a_suspended_training_only_after_that() -> None:
    suspended = job(1, "Suspended", suspend=True)
    held = reconcile(model(version(1, "Training"), suspend=True, **CHANGED), suspended)
    assert (reasons(held), held.apply) == ([], ())
    resumed = reconcile(model(version(1, "Training"), **CHANGED), suspended)
    assert (reasons(resumed), resumed.apply) == (["VersionSuperseded", "VersionStarted"], ())


def test_a_version_that_ends_during_a_suspension_is_judged_and_served_after_it() -> None:
    before = model(version(1), version(2, "Training"), serving=1, suspend=True)
    outcome = reconcile(before, completed(2))
    assert reasons(outcome) == ["VersionAccepted"]
    assert condition(outcome, "Promoted").reason == "Suspended"
    resumed = language_model(outcome.status.to_wire())
    assert reasons(reconcile(resumed, completed(2))) == ["VersionAccepted", "VersionPromoted"]


@pytest.mark.parametrize("promotion", [{"pin": {"version": 1}}, manual(approve=1)], ids=["pin", "approval"])
def test_a_rollback_by_hand_works_in_a_suspended_model(promotion: Promotion) -> None:
    outcome = reconcile(model(version(1), version(2), serving=2, suspend=True, promotion=promotion))
    assert reasons(outcome) == ["VersionRolledBack"]


def numbers(outcome: Outcome) -> list[int]:
    return [version.number for version in outcome.status.versions]  # type: ignore[attr-defined]


def deleting(outcome: Outcome) -> list[int]:
    versions = outcome.status.versions  # type: ignore[attr-defined]
    return [version.number for version in versions if version.artifact_state == "Deleting"]


@pytest.mark.parametrize(
    ("promotion", "kept"),
    [
        pytest.param(manual(), 2, id="the version that awaits approval"),
        pytest.param(manual(approve=1), 1, id="the approved version"),
    ],
)
def test_history_keeps(promotion: Promotion, kept: int) -> None:
    versions = (version(1), version(2), *(version(n, "Refused") for n in range(3, 6)))
    outcome = reconcile(model(*versions, serving=None if kept == 2 else 1, promotion=promotion, versionHistoryLimit=1))
    assert kept not in deleting(outcome)
    assert 3 in deleting(outcome)


def test_deleted_versions_stay_listed_up_to_ten_beyond_the_limit() -> None:
    deleted = [version(n, artifactState="Deleted") for n in range(1, 14)]
    outcome = reconcile(model(*deleted, version(14), version(15), serving=15, versionHistoryLimit=2))
    assert numbers(outcome) == list(range(4, 16))
    assert reasons(outcome) == []


def test_records_of_failures_stay_listed_up_to_ten_beyond_the_limit() -> None:
    failed = [version(n, "Failed", artifactState="Deleted") for n in range(2, 40)]
    newest = [version(n, "Failed") for n in range(40, 43)]
    outcome = reconcile(model(version(1), *failed, *newest, serving=1, versionHistoryLimit=2))
    assert numbers(outcome) == [1, *range(32, 43)]
    assert deleting(outcome) == []


def test_versions_whose_deletion_is_under_way_stay_listed_whatever_the_limit_is() -> None:
    under_way = [version(n, artifactState="Deleting") for n in range(1, 50)]
    outcome = reconcile(model(*under_way, version(50), serving=50, versionHistoryLimit=1))
    assert numbers(outcome) == list(range(1, 51))


def test_a_full_status_drops_the_oldest_whose_deletion_is_stuck_and_says_where_its_artifact_is() -> None:
    stuck = [version(n, artifactState="Deleting") for n in range(1, 110)]
    outcome = reconcile(model(*stuck, version(110), serving=110, versionHistoryLimit=1, **CHANGED))
    assert numbers(outcome) == list(range(2, 112))
    assert reasons(outcome) == ["VersionStarted", "VersionCollectionFailed"]
    assert "delete pvc://models/writer/v1-0f0e0d0c by hand" in outcome.events[1].message


def test_the_entry_of_a_deleted_version_keeps_its_record() -> None:
    complete = {"metadata": {"name": "writer-v1-cleanup", "uid": "c"}, "status": {"conditions": [true("Complete")]}}
    before = model(version(1, artifactState="Deleting", metrics={"loss": 2.0}), version(2), serving=2)
    cleaned = {"writer-v1-cleanup": StorageJob(JobView.of(complete))}
    outcome = reconcile(before, cleanups=cleaned)
    first = outcome.status.versions[0]  # type: ignore[attr-defined]
    assert (first.artifact_state, first.state, first.metrics) == ("Deleted", "Accepted", {"loss": 2.0})
    then = reconcile(language_model(outcome.status.to_wire()), cleanups=cleaned)
    assert [(d.kind, d.name) for d in then.delete] == [("Job", "writer-v1-cleanup")]
