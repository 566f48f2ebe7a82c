"""The life of a LanguageModel: one test per thing that happens to it."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from perennial.api import LanguageModel, ModelDeployment, TrainingJob
from perennial.api.language_model import LanguageModelStatus
from perennial.decide.kube import JobView, PodView
from perennial.decide.language_model.decide import decide
from perennial.decide.language_model.observed import Observed, StorageJob
from perennial.decide.outcome import Manifest, Outcome
from perennial_testing.specs import api_objects
from perennial_testing.specs.api_objects import DEFAULTS, DIGEST, NOW, after, language_model, result, true
from perennial_testing.specs.small_manifests import merged

GATE = {"evaluation": {"gates": [{"metric": "loss", "betterThanServed": {"by": 0.05}}]}}
STEPS_20 = {"training": {"hyperparameters": {"maxSteps": 20}}}
CLEANED = {"metadata": {"name": "c", "uid": "c"}, "status": {"conditions": [{"type": "Complete", "status": "True"}]}}


def version(number: int, state: str = "Accepted", artifact: bool = True, **more: Any) -> dict[str, Any]:
    """A version as the status keeps it, of the spec that language_model() has by default."""
    uri = f"pvc://models/writer/v{number}-0f0e0d0c"
    kept = {"artifact": {"uri": uri, "digest": DIGEST}} if artifact else {}
    return api_objects.version(number, state, **{"trigger": "SpecChanged", "message": "told"} | kept | more)


def model(*versions: dict[str, Any], serving: int | None = None, spec: dict[str, Any] | None = None) -> LanguageModel:
    last = max((v["number"] for v in versions), default=0)
    status = {"versions": list(versions), "lastVersion": last}
    return language_model(status | ({"servingVersion": serving} if serving else {}), **(spec or {}))


def with_spec(before: LanguageModel, status: LanguageModelStatus, **spec: Any) -> LanguageModel:
    return language_model(status.to_wire(), generation=before.metadata.generation + 1, **spec)


def job(number: int, state: str = "", **status: Any) -> TrainingJob:
    manifest = {
        "metadata": {"name": f"writer-v{number}", "namespace": "demo", "uid": f"job-{number}"},
        "spec": merged(language_model().spec.to_wire(), {"output": {"uri": f"pvc://models/writer/v{number}"}}),
        "status": {"state": state, "conditions": [true(state)] if state in ("Complete", "Failed") else []} | status,
    }
    return TrainingJob.model_validate(manifest)


def trained(number: int, loss: float = 2.0, **more: Any) -> TrainingJob:
    return job(number, "Complete", result=result(loss, f"pvc://models/writer/v{number}-0f0e0d0c", **more))


def failed(number: int) -> TrainingJob:
    return job(number, "Failed", conditions=[true("Failed", "EmptyCorpus", "it is empty")])


def service(spec: dict[str, Any], number: int | None, ready: bool = True) -> ModelDeployment:
    """The Deployment as it was applied, with this version on all replicas."""
    condition = {
        "type": "Ready", "status": str(ready), "reason": "InService", "message": "answers",
        "observedGeneration": 1, "lastTransitionTime": "2026-03-01T12:00:00Z",
    }  # fmt: skip
    status = {"observedGeneration": 1, "version": number, "conditions": [condition], "url": "http://writer.demo.svc/v1"}
    at = {"name": "writer", "namespace": "demo", "uid": "lmd", "generation": 1}
    return ModelDeployment.model_validate({"metadata": at, "spec": spec, "status": status})


def seen(
    *jobs: TrainingJob, service: ModelDeployment | None = None, cleanups: dict[str, Manifest] | None = None
) -> Observed:
    return Observed(
        DEFAULTS,
        {j.metadata.name: j for j in jobs},
        {name: StorageJob(JobView.of(manifest)) for name, manifest in (cleanups or {}).items()},
        service,
    )


def reasons(outcome: Outcome) -> list[str]:
    """Of the decisions, each of which is an Event as well, before the one of a model that begins to be stalled."""
    decided = [d.reason for d in outcome.status.decisions]
    stalled = [c.reason for c in outcome.status.conditions if c.type == "Stalled" and c.status == "True"]
    assert [e.reason for e in outcome.events] == decided + [reason for reason in stalled if reason not in decided]
    return decided


def states(outcome: Outcome) -> dict[int, str]:
    return {v.number: v.state for v in outcome.status.versions}


def applied(outcome: Outcome) -> dict[str, Manifest]:
    return {f"{m['kind']}/{m['metadata']['name']}": m for m in outcome.apply}


def condition(outcome: Outcome, type_: str) -> tuple[str, str, str]:
    (found,) = (c for c in outcome.status.conditions if c.type == type_)
    return found.status, found.reason, found.message


def test_the_first_version_is_allotted_and_trained_in_the_next_look() -> None:
    first = decide(model(), seen(), NOW)
    assert (reasons(first), states(first), applied(first)) == (["VersionStarted"], {1: "Training"}, {})
    second = decide(language_model(first.status.to_wire()), seen(), NOW)
    assert second.status == first.status
    (manifest,) = second.apply
    assert manifest["metadata"]["name"] == "writer-v1"
    assert manifest["spec"]["output"]["uri"] == "pvc://models/writer/v1-0f0e0d0c"
    assert "compareWith" not in manifest["spec"]
    TrainingJob.model_validate(manifest | {"metadata": manifest["metadata"] | {"uid": "x"}})


def test_a_training_that_is_there_is_not_applied_again() -> None:
    assert decide(model(version(1, "Training", artifact=False)), seen(job(1)), NOW).apply == ()


def test_a_version_that_passes_is_promoted_and_served_in_the_next_look() -> None:
    first = decide(model(version(1, "Training", artifact=False)), seen(trained(1)), NOW)
    assert reasons(first) == ["VersionAccepted", "VersionPromoted"]
    assert first.status.serving_version == 1
    assert first.status.versions[0].metrics["loss"] == 2.0
    second = decide(language_model(first.status.to_wire()), seen(trained(1)), NOW)
    spec = applied(second)["Deployment/writer"]["spec"]
    assert spec["model"] == {
        "name": "writer", "version": 1, "task": "text-generation", "digest": DIGEST,
        "uri": "pvc://models/writer/v1-0f0e0d0c",
    }  # fmt: skip
    assert condition(second, "Served")[:2] == ("False", "RollingOut")
    third = decide(language_model(second.status.to_wire()), seen(trained(1), service=service(spec, 1)), NOW)
    assert condition(third, "Ready")[:2] == ("True", "InService")
    assert third.status.url == "http://writer.demo.svc/v1"


def test_it_is_ready_only_when_the_service_is_as_the_spec_wants_it() -> None:
    before = model(version(1), serving=1)
    spec = applied(decide(before, seen(), NOW))["Deployment/writer"]["spec"]
    lmd = service(spec, 1)
    assert condition(decide(before, seen(service=lmd), NOW), "Ready")[0] == "True"
    changed = model(version(1), serving=1, spec={"deployment": {"replicas": 3}})
    assert condition(decide(changed, seen(service=lmd), NOW), "Ready")[:2] == ("False", "RollingOut")
    scaled = service(spec | {"replicas": 5}, 1)  # by somebody else, and the model leaves it open
    assert condition(decide(before, seen(service=scaled), NOW), "Ready")[0] == "True"


def test_a_change_of_the_training_starts_the_next_version_judged_against_the_served_one() -> None:
    spec = STEPS_20 | GATE
    before = model(version(1), serving=1, spec=spec)
    first = decide(before, seen(), NOW)
    assert reasons(first) == ["VersionStarted"]
    assert first.status.versions[1].judged_against == 1
    second = decide(language_model(first.status.to_wire(), **spec), seen(), NOW)
    assert applied(second)["TrainingJob/writer-v2"]["spec"]["compareWith"] == {
        "version": 1, "uri": "pvc://models/writer/v1-0f0e0d0c", "digest": DIGEST,
    }  # fmt: skip
    assert "Deployment/writer" in applied(second)


COMPARED = {
    "without gates": ({}, False),
    "with a bound": ({"evaluation": {"gates": [{"metric": "loss", "max": 4}]}}, False),
    "with a gate on the served version": (GATE, True),
}


@pytest.mark.parametrize(("spec", "is_compared"), COMPARED.values(), ids=COMPARED)
def test_a_training_is_compared_only_where_a_gate_asks_for_it(spec: dict[str, Any], is_compared: bool) -> None:
    before = model(version(1), version(2, "Training", False, judgedAgainst=1), serving=1, spec=spec)
    assert ("compareWith" in applied(decide(before, seen(), NOW))["TrainingJob/writer-v2"]["spec"]) == is_compared


def test_a_version_that_could_not_be_compared_is_refused_by_that_gate_and_can_be_pinned() -> None:
    before = model(version(1), version(2, "Training", artifact=False, judgedAgainst=1), serving=1, spec=GATE)
    run = trained(2, 2.0, comparison={"version": 1, "message": "pvc://models/writer/v1 doesn't exist"})
    outcome = decide(before, seen(run), NOW)
    assert (reasons(outcome), outcome.status.serving_version) == (["VersionRefused"], 1)
    refused = outcome.status.versions[1]
    assert refused.comparison.message == "pvc://models/writer/v1 doesn't exist"
    assert refused.message.startswith("gate loss better than served by 0.05: loss of v1 was not measured: pvc://models")
    then = decide(language_model(outcome.status.to_wire(), **GATE, **pinned(2)), seen(run), NOW)
    assert then.status.serving_version == 2


@pytest.mark.parametrize(
    "spec",
    [
        {"training": {"compute": {"gpusPerNode": 1}}},
        {"training": {"backoffLimit": 9}},
        {"training": {"runtime": {"image": "x"}}},
        {"training": {"checkpoints": {"everySteps": 7}}},
        {"training": {"hyperparameters": {"maxSteps": 1000}}},  # the default
        {"deployment": {"replicas": 3}},
        {"evaluation": {"gates": [{"metric": "loss", "max": 1}]}},
        {"versionHistoryLimit": 2},
        {"storage": {"uri": "pvc://others"}},
    ],
)
def test_what_shapes_no_model_starts_no_version(spec: dict[str, Any]) -> None:
    assert reasons(decide(model(version(1), serving=1, spec=spec), seen(), NOW)) == []


@pytest.mark.parametrize(
    "spec",
    [
        STEPS_20,
        {"model": {"architecture": {"layers": 2}}},
        {"data": {"train": [{"uri": "pvc://corpus/other.txt"}]}},
        {"data": {"preprocessing": {"deduplicate": False}}},
        {"training": {"earlyStopping": {}}},
        {"training": {"evaluateEverySteps": 3}},
    ],
)
def test_what_shapes_the_model_starts_a_version(spec: dict[str, Any]) -> None:
    assert reasons(decide(model(version(1), serving=1, spec=spec), seen(), NOW)) == ["VersionStarted"]


def test_a_change_during_a_training_supersedes_it_at_once() -> None:
    before = model(version(1), version(2, "Training", artifact=False), serving=1, spec=STEPS_20)
    outcome = decide(before, seen(job(2)), NOW)
    assert reasons(outcome) == ["VersionSuperseded", "VersionStarted"]
    assert states(outcome) == {1: "Accepted", 2: "Superseded", 3: "Training"}
    # The training of v2 is deleted in the next look, and its folder once it is gone.
    later = language_model(outcome.status.to_wire(), **STEPS_20)
    second = decide(later, seen(job(2)), NOW)
    assert [(d.kind, d.name, d.uid) for d in second.delete] == [("TrainingJob", "writer-v2", "job-2")]
    assert "Job/writer-v2-cleanup" not in applied(second)
    third = decide(later, seen(job(3)), NOW)
    assert "Job/writer-v2-cleanup" in applied(third)
    fourth = decide(later, seen(job(3), cleanups={"writer-v2-cleanup": CLEANED}), NOW)
    assert states(fourth) == {1: "Accepted", 2: "Superseded", 3: "Training"}
    assert fourth.status.versions[1].artifact_state == "Deleted"
    fifth = decide(
        language_model(fourth.status.to_wire(), **STEPS_20), seen(cleanups={"writer-v2-cleanup": CLEANED}), NOW
    )
    assert [(d.kind, d.name) for d in fifth.delete] == [("Job", "writer-v2-cleanup")]


def test_a_version_whose_spec_changed_before_its_training_existed_is_not_trained() -> None:
    before = model(version(1, "Training", artifact=False), spec=STEPS_20)
    assert applied(decide(before, seen(), NOW)) == {}


def test_a_worse_version_is_refused_and_the_served_one_stays() -> None:
    before = model(version(1), version(2, "Training", artifact=False, judgedAgainst=1), serving=1, spec=GATE)
    run = trained(2, 2.0, comparison={"version": 1, "metrics": {"loss": 1.9}})
    outcome = decide(before, seen(run), NOW)
    assert (reasons(outcome), outcome.status.serving_version) == (["VersionRefused"], 1)
    decision = outcome.status.decisions[0]
    assert decision.rule == "gate loss better than served by 0.05"
    assert decision.observed == "loss 2 against 1.9 of v1"
    assert decision.outcome == "v2 was refused; v1 stays in service"
    assert outcome.events[0].type == "Warning"
    assert outcome.status.versions[1].artifact is not None  # it can still be pinned


def test_a_failed_training_is_recorded_and_not_tried_again_by_itself() -> None:
    before = model(version(1), version(2, "Training", artifact=False), serving=1)
    outcome = decide(before, seen(failed(2)), NOW)
    assert (reasons(outcome), states(outcome)[2]) == (["VersionFailed"], "Failed")
    assert outcome.status.decisions[0].observed == "EmptyCorpus: it is empty"
    assert reasons_after(outcome) == []


def test_a_first_version_that_failed_stalls_the_model() -> None:
    outcome = decide(model(version(1, "Training", artifact=False)), seen(failed(1)), NOW)
    assert condition(outcome, "Stalled")[:2] == ("True", "VersionFailed")
    assert "EmptyCorpus: it is empty" in condition(outcome, "Ready")[2]


def reasons_after(outcome: Outcome) -> list[str]:
    """What is decided in the next look, when nothing happened."""
    again = decide(language_model(outcome.status.to_wire()), seen(), after(minutes=1))
    return [d.reason for d in again.status.decisions[len(outcome.status.decisions) :]]


def pinned(number: int) -> dict[str, Any]:
    return {"promotion": {"pin": {"version": number}}}


@dataclass(frozen=True)
class PinCase:
    """The versions, the one in service and the pin; then the one in service and the reasons of the decisions."""

    versions: list[dict[str, Any]]
    serving: int
    pin: int | None
    served: int
    decided: list[str] = field(default_factory=list)


PINS = {
    "Back to an older version": PinCase(
        [version(1), version(2)], serving=2, pin=1, served=1, decided=["VersionRolledBack"]
    ),
    "To a refused version": PinCase(
        [version(1), version(2, "Refused")], serving=1, pin=2, served=2, decided=["VersionPromoted"]
    ),
    "To what is served already": PinCase([version(1), version(2)], serving=2, pin=2, served=2),
    "To a version that failed": PinCase([version(1), version(2, "Failed", artifact=False)], serving=1, pin=2, served=1),
    "To a version that never was": PinCase([version(1)], serving=1, pin=7, served=1),
    "To a version that is being deleted": PinCase(
        [version(1, artifactState="Deleting"), version(2)], serving=2, pin=1, served=2
    ),
    "No pin any more: the newest accepted one": PinCase(
        [version(1), version(2)], serving=1, pin=None, served=2, decided=["VersionPromoted"]
    ),
    "No pin any more, and the newest was refused": PinCase(
        [version(1), version(2, "Refused")], serving=2, pin=None, served=1, decided=["VersionRolledBack"]
    ),
}


@pytest.mark.parametrize("case", PINS.values(), ids=PINS)
def test_pin(case: PinCase) -> None:
    spec = pinned(case.pin) if case.pin else None
    outcome = decide(model(*case.versions, serving=case.serving, spec=spec), seen(), NOW)
    assert (outcome.status.serving_version, reasons(outcome)) == (case.served, case.decided)
    bad = case.served != case.pin and case.pin is not None
    assert (condition(outcome, "Stalled")[1] == "InvalidSpec") == bad
    if bad:
        assert "versions that have one:" in condition(outcome, "Stalled")[2]


def test_a_model_in_service_with_a_wrong_pin_is_ready_for_its_service_and_stalled_for_its_pin() -> None:
    wrong = model(version(1), serving=1, spec=pinned(99))
    (deployed,) = decide(wrong, seen(), NOW).apply
    outcome = decide(wrong, seen(service=service(deployed["spec"], 1)), NOW)
    assert condition(outcome, "Ready") == ("True", "InService", "answers")
    assert condition(outcome, "Stalled")[:2] == ("True", "InvalidSpec")


def collecting(outcome: Outcome) -> set[int]:
    return {v.number for v in outcome.status.versions if v.artifact_state == "Deleting"}


def test_a_model_that_begins_to_need_a_person_posts_one_warning() -> None:
    first = decide(model(version(1), serving=1, spec=pinned(9)), seen(), NOW)
    assert [(event.type, event.reason) for event in first.events] == [("Warning", "InvalidSpec")]
    again = decide(language_model(first.status.to_wire(), **pinned(9)), seen(), after(minutes=1))
    assert again.events == ()


@dataclass(frozen=True)
class RetentionCase:
    """The versions, the one to serve and the one that pods serve; then those whose artifacts are being deleted."""

    versions: list[dict[str, Any]]
    serving: int
    in_service: int | None
    deleted: set[int] = field(default_factory=set)
    spec: dict[str, Any] = field(default_factory=dict)


KEPT = {
    "No more than are kept": RetentionCase([version(1), version(2)], serving=2, in_service=2),
    "The oldest goes": RetentionCase([version(1), version(2), version(3)], serving=3, in_service=3, deleted={1}),
    "The served one stays while its pods are not there yet": RetentionCase(
        [version(1), *(version(n, "Refused") for n in (2, 3, 4))], serving=1, in_service=None, deleted={2}
    ),
    "The served one stays": RetentionCase(
        [version(1), *(version(n, "Refused") for n in (2, 3, 4))], serving=1, in_service=1, deleted={2}
    ),
    "What pods still serve stays": RetentionCase([version(1), version(2), version(3)], serving=3, in_service=1),
    "The pinned one stays": RetentionCase(
        [version(1), version(2), version(3)], serving=1, spec=pinned(1), in_service=1
    ),
    "What is judged against stays": RetentionCase(
        [
            version(1),
            *(version(n, "Refused") for n in (2, 3)),
            version(4),
            version(5, "Training", False, judgedAgainst=1),
        ],
        serving=4,
        in_service=4,
        deleted={2},
    ),
    "Failed versions push none out": RetentionCase(
        [version(1), version(2), *(version(n, "Failed", False) for n in (3, 4))], serving=2, in_service=2
    ),
    "Superseded versions push none out": RetentionCase(
        [version(1), version(2), *(version(n, "Superseded", False, artifactState="Deleted") for n in (3, 4))],
        serving=2,
        in_service=2,
    ),
    "The version in training pushes none out": RetentionCase(
        [version(1), version(2), version(3, "Training", False, judgedAgainst=2)], serving=2, in_service=2
    ),
    "A refused version is kept as an accepted one": RetentionCase(
        [version(1), version(2, "Refused"), version(3, "Failed", False), version(4, "Training", False)],
        serving=1,
        in_service=1,
    ),
    "The files of failed versions go, the last three that ended stay": RetentionCase(
        [version(1), *(version(n, "Failed", False) for n in (2, 3, 4, 5))], serving=1, in_service=1, deleted={2}
    ),
    "A failed version goes when three newer ones have an artifact": RetentionCase(
        [version(1, "Failed", False), *(version(n) for n in (2, 3, 4))], serving=4, in_service=4, deleted={1, 2}
    ),
    "What is being deleted counts no more": RetentionCase(
        [version(1, artifactState="Deleting"), version(2), version(3)], serving=3, in_service=3, deleted={1}
    ),
}


@pytest.mark.parametrize("case", KEPT.values(), ids=KEPT)
def test_kept(case: RetentionCase) -> None:
    before = model(*case.versions, serving=case.serving, spec=merged({"versionHistoryLimit": 2}, case.spec))
    lmd = service(applied(decide(before, seen(), NOW))["Deployment/writer"]["spec"], case.in_service)
    outcome = decide(before, seen(service=lmd), NOW)
    assert collecting(outcome) == case.deleted
    fresh = case.deleted - {v["number"] for v in case.versions if v.get("artifactState") == "Deleting"}
    assert reasons(outcome).count("VersionCollected") == len(fresh)


def test_the_decision_on_what_is_collected_names_what_it_was() -> None:
    failures = [version(n, "Failed", artifact=False) for n in (4, 5, 6, 7)]
    before = model(version(1), version(2), version(3), *failures, serving=3, spec={"versionHistoryLimit": 2})
    artifact, files = decide(before, seen(), NOW).status.decisions
    assert (artifact.rule, artifact.outcome) == ("versionHistoryLimit 2", "artifact of v1 is deleted")
    assert artifact.observed == "v1 is neither in service nor one of the newest 2 that have an artifact"
    assert files.outcome == "unfinished files of v4 are deleted"
    assert files.observed == "v4 failed and is not one of the 3 versions that ended last"


def test_of_a_failed_version_goes_what_its_job_left_once_its_job_is_gone() -> None:
    before = model(version(1, "Failed", artifact=False, artifactState="Deleting"), version(2), serving=2)
    outcome = decide(before, seen(failed(1)), NOW)
    assert [(d.kind, d.name) for d in outcome.delete] == [("TrainingJob", "writer-v1")]
    assert "Job/writer-v1-cleanup" not in applied(outcome)
    cleanup = applied(decide(before, seen(), NOW))["Job/writer-v1-cleanup"]
    assert cleanup["spec"]["template"]["spec"]["containers"][0]["command"][-2:] == ["--job", "demo/writer-v1"]


def test_an_artifact_that_is_deleted_was_not_written_to_by_anybody_any_more() -> None:
    before = model(version(1, artifactState="Deleting"), version(2), serving=2)
    assert "Job/writer-v1-cleanup" not in applied(decide(before, seen(job(1)), NOW))
    cleanup = applied(decide(before, seen(), NOW))["Job/writer-v1-cleanup"]
    pod = cleanup["spec"]["template"]["spec"]
    assert pod["containers"][0]["command"][3:] == [
        "delete-artifact", "--uri", "pvc://models/writer/v1-0f0e0d0c", "--digest", DIGEST,
    ]  # fmt: skip
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["restartPolicy"] == "Never"


def test_of_a_training_that_was_given_up_goes_what_its_job_made_all_the_same() -> None:
    before = model(version(1, "Superseded", artifactState="Deleting", artifact=None), version(2), serving=2)
    cleanup = applied(decide(before, seen(), NOW))["Job/writer-v1-cleanup"]
    assert cleanup["spec"]["template"]["spec"]["containers"][0]["command"][-2:] == ["--job", "demo/writer-v1"]


def test_a_cleanup_that_is_there_is_left_alone_whatever_the_image_is_by_now() -> None:
    before = model(version(1, artifactState="Deleting"), version(2), serving=2)
    there = {"writer-v1-cleanup": {"metadata": {"name": "writer-v1-cleanup", "uid": "c"}}}
    assert "Job/writer-v1-cleanup" not in applied(decide(before, seen(cleanups=there), NOW))


def deleting(job: dict[str, Any], *pods: dict[str, Any], refusal: str | None = None) -> Observed:
    """A cleanup that started an hour ago."""
    manifest = {"metadata": {"name": "writer-v1-cleanup", "uid": "c"}, "status": {"startTime": "2026-03-01T11:00:00Z"}}
    running = StorageJob(JobView.of(merged(manifest, job)), tuple(map(PodView.of, pods)), refusal)
    return Observed(DEFAULTS, {}, {"writer-v1-cleanup": running})


def deleter(phase: str, state: dict[str, Any]) -> dict[str, Any]:
    container = {"name": "storage", "image": "training:1", "state": state}
    return api_objects.pod(phase) | {"status": {"phase": phase, "containerStatuses": [container]}}


PULL = {"waiting": {"reason": "ErrImagePull", "message": "not found"}}
NOT_DELETED = "The files of v1 are not deleted: "
OBSTACLES = [
    (
        deleting({}, refusal='pods "x" is forbidden: minimum memory usage per Container is 512Mi'),
        "PodRefused",
        NOT_DELETED + 'pods "x" is forbidden: minimum memory usage per Container is 512Mi. Correct the spec, or the '
        "policy that refuses its pods.",
    ),
    (
        deleting({}, refusal="exceeded quota: small"),
        "QuotaExceeded",
        NOT_DELETED + "exceeded quota: small. Raise the quota of the namespace, or request less in "
        "`podDefaults.cleanupResources` of the chart.",
    ),
    (
        deleting({}, deleter("Pending", PULL)),
        "ImagePullFailed",
        NOT_DELETED + "Image training:1 can't be pulled: not found",
    ),
]


@pytest.mark.parametrize(("observed", "reason", "message"), OBSTACLES)
def test_a_deletion_that_does_not_get_on_is_a_condition_and_told_once(
    observed: Observed, reason: str, message: str
) -> None:
    before = model(version(1, artifactState="Deleting"), version(2), serving=2)
    outcome = decide(before, observed, NOW)
    assert condition(outcome, "Collected") == ("False", reason, message)
    assert [(event.type, event.reason) for event in outcome.events] == [("Warning", reason)]
    again = decide(language_model(outcome.status.to_wire()), observed, after(minutes=1))
    assert (again.status, again.events) == (outcome.status, ())


def test_a_deletion_whose_pod_is_absent_is_looked_at_again() -> None:
    before = model(version(1, artifactState="Deleting"), version(2), serving=2)
    outcome = decide(before, deleting({}), NOW)
    assert condition(outcome, "Collected") == ("False", "Collecting", "The files of v1 are being deleted.")
    assert outcome.again_at == after(seconds=30)


def test_an_artifact_counts_as_deleted_though_another_container_of_the_pod_goes_on() -> None:
    before = model(version(1, artifactState="Deleting"), version(2), serving=2)
    outcome = decide(before, deleting({}, deleter("Running", {"terminated": {"exitCode": 0}})), NOW)
    assert outcome.status.versions[0].artifact_state == "Deleted"
    assert condition(outcome, "Collected")[:2] == ("True", "Collected")
    failed_one = decide(before, deleting({}, deleter("Running", {"terminated": {"exitCode": 1}})), NOW)
    assert failed_one.status.versions[0].artifact_state == "Deleting"


def test_a_cleanup_that_failed_is_told_once() -> None:
    conditions = [{"type": "Failed", "status": "True"}]
    there = {"writer-v1-cleanup": {"metadata": {"name": "x", "uid": "c"}, "status": {"conditions": conditions}}}
    outcome = decide(model(version(1, artifactState="Deleting"), version(2), serving=2), seen(cleanups=there), NOW)
    assert reasons(outcome) == ["VersionCollectionFailed"]
    assert outcome.events[0].type == "Warning"
    assert "delete the Job to retry" in (outcome.status.versions[0].message or "")
    again = decide(language_model(outcome.status.to_wire()), seen(cleanups=there), after(minutes=1))
    assert again.status == outcome.status


def test_a_stalled_training_is_told_by_the_model() -> None:
    blocked = {
        "type": "Stalled", "status": "True", "reason": "InputMissing", "message": "no corpus",
        "observedGeneration": 1, "lastTransitionTime": "2026-03-01T12:00:00Z",
    }  # fmt: skip
    run = job(1, "Pending", conditions=[blocked])
    outcome = decide(model(version(1, "Training", artifact=False)), seen(run), NOW)
    assert condition(outcome, "Stalled") == ("True", "InputMissing", "no corpus")


def test_a_model_made_again_under_the_same_name_has_another_folder() -> None:
    other = language_model()
    other = other.model_copy(update={"metadata": other.metadata.model_copy(update={"uid": "ffffffff-0000"})})
    assert decide(other, seen(), NOW).status.versions[0].uri == "pvc://models/writer/v1-ffffffff"


def test_the_list_of_decisions_is_bounded() -> None:
    status = decide(model(), seen(), NOW).status
    many = status.model_copy(update={"decisions": status.decisions * 20})
    outcome = decide(with_spec(model(), many, **STEPS_20), seen(), NOW)
    assert len(outcome.status.decisions) == 20
    assert [d.reason for d in outcome.status.decisions[-2:]] == ["VersionSuperseded", "VersionStarted"]
