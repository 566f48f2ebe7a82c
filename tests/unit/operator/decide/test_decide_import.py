"""spec.import: artifacts in storage become versions, and what was trained from the spec is not trained again."""

from typing import Any

import pytest

from perennial.api import LanguageModel, ModelDeployment
from perennial.decide.fingerprint import fingerprint
from perennial.decide.kube import JobView, PodView
from perennial.decide.language_model.decide import decide
from perennial.decide.language_model.observed import Observed, StorageJob
from perennial.decide.language_model.state import AWAITING_APPROVAL
from perennial.decide.outcome import Manifest, Outcome
from perennial_testing.specs.api_objects import (
    DEFAULTS,
    DIGEST,
    NOW,
    deployment,
    ended,
    language_model,
    metadata,
    true,
    version,
)

URI = "pvc://models/writer"
JOB = "writer-import-6e4c1e08"
SPEC = {"import": {"uri": URI}}
CURRENT = fingerprint(language_model().spec)


def artifact(number: int, **more: Any) -> dict[str, Any]:
    """An artifact as the Job tells it; the digits of its digest are those of its number."""
    return {
        "artifact": {"uri": f"{URI}/v{number}-5565229d", "digest": f"sha256:{number:064d}", "sizeBytes": 4096},
        "number": number,
        "task": "text-generation",
        "fingerprint": CURRENT,
        "createdAt": f"2026-02-0{number}T12:00:00Z",
        "metrics": {"loss": 2.0},
    } | more


def told(*artifacts: dict[str, Any], omitted: int = 0) -> dict[str, Any]:
    return {"perennial": "artifacts", "schema": 1, "found": list(artifacts), "omitted": omitted}


def seen(message: Any = None, *, code: int = 0, conditions: tuple[str, ...] = (), **pod: Any) -> Observed:
    """The Job of the import, and its pod, which ended with this message."""
    job = {"metadata": {"name": JOB, "uid": "i"}, "status": {"conditions": [true(name) for name in conditions]}}
    container = {"name": "storage", "image": "training:1", "state": ended(code, message)}
    status = {"phase": "Running", "containerStatuses": [container] if message or code else []} | pod
    manifest = {"metadata": {"name": "p", "creationTimestamp": "2026-03-01T11:59:00Z"}, "status": status}
    pods = (PodView.of(manifest),) if message or code or pod else ()
    return Observed(DEFAULTS, storage_jobs={JOB: StorageJob(JobView.of(job), pods)})


def kinds(outcome: Outcome) -> list[str]:
    return [f"{manifest['kind']}/{manifest['metadata']['name']}" for manifest in outcome.apply]


def condition(outcome: Outcome, type_: str) -> tuple[str, str, str]:
    found = next(each for each in outcome.status.conditions if each.type == type_)
    return found.status, found.reason, found.message


def then(outcome: Outcome, **spec: Any) -> LanguageModel:
    """The object with the stored status."""
    return language_model(outcome.status.to_wire(), **(SPEC | spec))


def numbers(outcome: Outcome) -> dict[int, str]:
    return {each.number: each.state for each in outcome.status.versions}


def test_a_new_model_looks_into_its_storage_before_it_trains() -> None:
    outcome = decide(language_model(**SPEC), Observed(DEFAULTS), NOW)
    assert kinds(outcome) == [f"Job/{JOB}"]
    assert outcome.status.versions == []
    assert condition(outcome, "Trained") == (
        "False", "Importing", "The artifacts at pvc://models/writer are being imported.",
    )  # fmt: skip
    assert condition(outcome, "Reconciling")[0] == "True"
    pod: Manifest = outcome.apply[0]["spec"]["template"]["spec"]
    assert pod["containers"][0]["command"][3:] == ["find-artifacts", "--uri", URI]
    assert {"name": "claim-0", "persistentVolumeClaim": {"claimName": "models"}} in pod["volumes"]


def test_the_job_is_made_once_as_its_pods_are_immutable() -> None:
    assert kinds(decide(language_model(**SPEC), seen(), NOW)) == []


def test_nothing_is_trained_again_and_the_same_version_is_served() -> None:
    message = told(artifact(3), artifact(2), artifact(1))
    outcome = decide(language_model(**SPEC), seen(message), NOW)
    assert numbers(outcome) == {1: "Accepted", 2: "Accepted", 3: "Accepted"}
    assert (outcome.status.last_version, outcome.status.serving_version) == (3, 3)
    newest = outcome.status.versions[-1]
    assert newest.artifact
    assert (newest.artifact.digest, newest.uri) == (f"sha256:{3:064d}", f"{URI}/v3-5565229d")
    assert (newest.trigger, newest.imported, newest.fingerprint) == ("Import", True, CURRENT)
    assert newest.start_time.isoformat() == "2026-02-03T12:00:00+00:00"
    assert [decision.reason for decision in outcome.status.decisions] == ["ArtifactsImported", "VersionPromoted"]
    assert outcome.status.decisions[0].outcome == "imported: v1, v2, v3"
    rest = decide(then(outcome), seen(message), NOW)
    assert kinds(rest) == ["Deployment/writer"]
    assert rest.status.versions == outcome.status.versions, "nothing is started"
    assert [(each.kind, each.name) for each in rest.delete] == [("Job", JOB)]


def test_what_was_refused_is_refused_again() -> None:
    worse = artifact(3, metrics={"loss": 2.1}, comparison={"version": 2, "metrics": {"loss": 2.0}})
    gates = {"gates": [{"metric": "loss", "betterThanServed": {}}]}
    spec = SPEC | {"evaluation": gates}
    outcome = decide(language_model(**spec), seen(told(worse, artifact(2))), NOW)
    assert numbers(outcome) == {2: "Accepted", 3: "Refused"}
    assert outcome.status.serving_version == 2
    assert outcome.status.versions[-1].message == "gate loss better than served by 0: loss 2.1 against 2 of v2"
    assert decide(language_model(outcome.status.to_wire(), **spec), Observed(DEFAULTS), NOW).status.last_version == 3


def test_a_pin_names_the_version_that_it_named_before() -> None:
    spec = SPEC | {"promotion": {"pin": {"version": 1}}}
    waiting = decide(language_model(**spec), seen(), NOW)
    assert condition(waiting, "Stalled")[0] == "False", "the version may be found yet"
    outcome = decide(language_model(**spec), seen(told(artifact(2), artifact(1))), NOW)
    assert outcome.status.serving_version == 1


def test_an_approval_is_asked_for_as_before() -> None:
    spec = SPEC | {"promotion": {"policy": "Manual", "approve": {"version": 1}}}
    outcome = decide(language_model(**spec), seen(told(artifact(2), artifact(1))), NOW)
    assert outcome.status.serving_version == 1
    assert condition(outcome, "Promoted")[1] == AWAITING_APPROVAL


def test_what_was_trained_from_another_spec_is_served_while_the_spec_is_trained() -> None:
    outcome = decide(language_model(**SPEC), seen(told(artifact(2, fingerprint="another"))), NOW)
    assert outcome.status.serving_version == 2
    assert numbers(outcome) == {2: "Accepted", 3: "Training"}
    assert outcome.status.versions[-1].trigger == "SpecChanged"


def test_a_seed_of_its_own_is_no_other_spec() -> None:
    seeded = fingerprint(language_model(training={"hyperparameters": {"seed": 45}}).spec)
    outcome = decide(
        language_model(**SPEC, training={"hyperparameters": {"seed": 42}}),
        seen(told(artifact(3, fingerprint=seeded))),
        NOW,
    )
    assert numbers(outcome) == {3: "Accepted"}


def test_where_nothing_is_found_the_training_begins() -> None:
    outcome = decide(language_model(**SPEC), seen(told()), NOW)
    assert numbers(outcome) == {1: "Training"}
    assert [decision.reason for decision in outcome.status.decisions] == ["NothingImported", "VersionStarted"]
    assert outcome.status.import_
    assert outcome.status.import_.message == ("0 artifacts at pvc://models/writer; nothing is imported")


@pytest.mark.parametrize(
    "other", [artifact(2, task="translation"), artifact(2) | {"artifact": artifact(1)["artifact"]}]
)
def test_other_tasks_and_known_artifacts_are_left(other: dict[str, Any]) -> None:
    before = {"versions": [version(1, artifact=artifact(1)["artifact"])], "lastVersion": 1, "servingVersion": 1}
    outcome = decide(language_model(before, **SPEC), seen(told(other)), NOW)
    assert numbers(outcome) == {1: "Accepted"}


def test_an_artifact_without_a_task_or_number_becomes_the_next_version() -> None:
    before = {"versions": [version(4)], "lastVersion": 4, "servingVersion": 4}
    bare = {"artifact": artifact(2)["artifact"]}
    outcome = decide(language_model(before, **SPEC), seen(told(bare)), NOW)
    assert outcome.status.versions[1].number == 5
    assert outcome.status.versions[1].fingerprint == "unknown"


def test_two_artifacts_of_one_number_are_two_versions() -> None:
    """Two objects of the same name wrote into the folder, one after the other."""
    first, second = artifact(1), artifact(2) | {"number": 1}
    outcome = decide(language_model(**SPEC), seen(told(second, first)), NOW)
    assert {each.number: each.artifact and each.artifact.digest for each in outcome.status.versions} == {
        1: f"sha256:{1:064d}",
        2: f"sha256:{2:064d}",
    }


def test_an_imported_artifact_is_never_deleted() -> None:
    spec = SPEC | {"versionHistoryLimit": 1}
    outcome = decide(language_model(**spec), seen(told(artifact(2), artifact(1))), NOW)
    assert [each.artifact_state for each in outcome.status.versions] == ["Released", "Kept"]
    assert outcome.status.decisions[-1].outcome == ("imported artifact of v1 stays at pvc://models/writer/v1-5565229d")
    rest = decide(language_model(outcome.status.to_wire(), **spec), Observed(DEFAULTS), NOW)
    assert kinds(rest) == ["Deployment/writer"]


def test_an_import_waits_for_the_running_training() -> None:
    before = {"versions": [version(1, "Training")], "lastVersion": 1}
    outcome = decide(language_model(before, **SPEC), Observed(DEFAULTS), NOW)
    assert kinds(outcome) == ["TrainingJob/writer-v1"]
    assert "follows the running training" in condition(outcome, "Trained")[2]


def test_each_location_is_looked_at_once() -> None:
    done = decide(language_model(**SPEC), seen(told(artifact(1))), NOW)
    assert JOB not in str(kinds(decide(then(done), Observed(DEFAULTS), NOW)))
    (another, *_) = kinds(decide(then(done, **{"import": {"uri": "pvc://models/older"}}), Observed(DEFAULTS), NOW))
    assert another.startswith("Job/writer-import-")
    assert another != f"Job/{JOB}"


BAD_PULL = {"waiting": {"reason": "ErrImagePull", "message": "not found"}}
PULLING = [{"name": "storage", "image": "training:1", "state": BAD_PULL}]


@pytest.mark.parametrize(
    ("observed", "reason", "message"),
    [
        (seen(conditions=("Failed",)), "ImportFailed", f"Job {JOB} failed; see its log"),
        (seen(conditions=("Complete",)), "ImportFailed", "its pod is gone; delete the Job to retry"),
        (seen("no JSON", conditions=("Complete",)), "ImportFailed", "its pod is gone; delete the Job to retry"),
        (seen(phase="Pending", containerStatuses=PULLING), "ImagePullFailed", "can't be pulled"),
    ],
)
def test_an_import_that_does_not_get_on_says_so_and_trains_nothing(
    observed: Observed, reason: str, message: str
) -> None:
    outcome = decide(language_model(**SPEC), observed, NOW)
    stalled = condition(outcome, "Stalled")
    assert (stalled[0], stalled[1], outcome.status.versions) == ("True", reason, [])
    assert message in stalled[2]
    assert [event.reason for event in outcome.events] == [reason]


def test_credentials_of_an_import_are_those_of_its_versions() -> None:
    source = {"import": {"uri": "s3://old/writer", "credentials": {"secretName": "old"}}}
    model = LanguageModel.model_validate(
        {"metadata": metadata("writer"), "spec": language_model(**source).spec.to_wire(), "status": {}}
    )
    (job,) = decide(model, Observed(DEFAULTS), NOW).apply
    assert job["spec"]["template"]["spec"]["containers"][0]["command"][-2:] == ["--secret", "old"]
    found = artifact(1) | {"artifact": {"uri": "s3://old/writer/v1-a", "digest": DIGEST}}
    observed = seen(told(found))
    observed.storage_jobs[job["metadata"]["name"]] = observed.storage_jobs.pop(JOB)
    outcome = decide(model, observed, NOW)
    restored = outcome.status.versions[0]
    assert model.credentials_of(restored) == restored.credentials
    assert restored.credentials
    assert restored.credentials.secret_name == "old"


def without_artifact(number: int, reason: str = "ArtifactNotFound", generation: int = 1) -> ModelDeployment:
    """The Deployment of a version whose pods end with this reason."""
    stalled = {"type": "Stalled", "status": "True", "reason": reason, "message": f"{URI}/v{number}-a is not there."}
    at = {"observedGeneration": generation, "lastTransitionTime": "2026-03-01T12:00:00Z"}
    return deployment({"conditions": [stalled | at]}, model={"version": number})


LOST = [version(n, artifact=artifact(n)["artifact"], uri=artifact(n)["artifact"]["uri"]) for n in (1, 2)]
BEFORE = {"versions": LOST, "lastVersion": 2, "servingVersion": 2}


def test_of_a_version_whose_artifact_is_gone_the_one_before_serves() -> None:
    observed = Observed(DEFAULTS, deployment=without_artifact(2))
    outcome = decide(language_model(BEFORE), observed, NOW)
    assert [each.artifact_state for each in outcome.status.versions] == ["Kept", "Missing"]
    assert outcome.status.serving_version == 1
    assert [each.reason for each in outcome.status.decisions] == ["ArtifactMissing", "VersionRolledBack"]
    again = decide(language_model(outcome.status.to_wire()), observed, NOW)
    assert again.status == outcome.status, "it is told once, and nothing is trained for it"


def test_an_only_version_whose_artifact_is_gone_stays_in_service_and_the_next_is_trained() -> None:
    before = {"versions": LOST[:1], "lastVersion": 1, "servingVersion": 1}
    spec = {
        "evaluation": {"gates": [{"metric": "loss", "betterThanServed": {}}]},
        "training": {"hyperparameters": {"seed": 7}},
    }
    observed = Observed(DEFAULTS, deployment=without_artifact(1))
    outcome = decide(language_model(before, **spec), observed, NOW)
    assert (outcome.status.serving_version, numbers(outcome)) == (1, {1: "Accepted", 2: "Training"})
    (training,) = decide(language_model(outcome.status.to_wire(), **spec), observed, NOW).apply
    assert "compareWith" not in training["spec"]


@pytest.mark.parametrize("other", [without_artifact(2, "DigestMismatch"), without_artifact(2, generation=0)])
def test_another_trouble_or_that_of_an_earlier_spec_marks_nothing(other: ModelDeployment) -> None:
    outcome = decide(language_model(BEFORE), Observed(DEFAULTS, deployment=other), NOW)
    assert [each.artifact_state for each in outcome.status.versions] == ["Kept", "Kept"]


def test_an_artifact_that_is_back_is_imported_as_the_version_that_it_was() -> None:
    missing = [LOST[0], LOST[1] | {"artifactState": "Missing"}]
    before = {"versions": missing, "lastVersion": 2, "servingVersion": 1}
    outcome = decide(language_model(before, **SPEC), seen(told(artifact(2), artifact(1))), NOW)
    assert [each.artifact_state for each in outcome.status.versions] == ["Kept", "Kept"]
    assert outcome.status.decisions[0].outcome == "imported: v2"
    assert outcome.status.serving_version == 2
