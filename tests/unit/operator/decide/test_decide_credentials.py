"""Secrets: mounted by the pods that need them, never read by the operator, and told of when they are missing."""

from typing import Any

import pytest

from perennial.api.language_model import Version
from perennial.decide.deployment.decide import decide as decide_deployment
from perennial.decide.deployment.observed import Observed as ObservedDeployment
from perennial.decide.fingerprint import fingerprint, run_fingerprint
from perennial.decide.kube import JobView, PodView
from perennial.decide.language_model.children import deployment_spec
from perennial.decide.language_model.cleanup import cleanup
from perennial.decide.training_job.decide import decide
from perennial.decide.training_job.observed import Observed
from perennial_testing.specs.api_objects import (
    DEFAULTS,
    DIGEST,
    NOW,
    after,
    batch_job,
    deployment,
    language_model,
    pod,
    training_job,
)

STORAGE = {"uri": "s3://models/writer/v1", "credentials": {"secretName": "storage"}}
SOURCE = {"uri": "s3://corpus/a.txt", "credentials": {"secretName": "corpus"}}


def _secrets(spec: dict[str, Any]) -> dict[str, str]:
    """By name of a Secret the folder in which the pod's first container finds it; each read-only and not optional."""
    volumes = {volume["name"]: volume["secret"] for volume in spec["volumes"] if "secret" in volume}
    assert all(volume["optional"] is False and volume["defaultMode"] == 0o440 for volume in volumes.values())
    first = [*spec.get("initContainers", []), *spec["containers"]][0]
    mounts = {mount["name"]: mount for mount in first["volumeMounts"]}
    assert all(mounts[name]["readOnly"] for name in volumes)
    return {volume["secretName"]: mounts[name]["mountPath"] for name, volume in volumes.items()}


def test_a_training_pod_mounts_each_secret_once() -> None:
    data = {"train": [SOURCE, SOURCE, {"uri": "pvc://corpus/b.txt"}]}
    job = training_job(data=data, output=STORAGE, compareWith=STORAGE | {"version": 1, "digest": DIGEST})
    spec = decide(job, Observed(DEFAULTS), NOW).apply[1]["spec"]["template"]["spec"]
    assert _secrets(spec) == {"corpus": "/perennial/secrets/corpus", "storage": "/perennial/secrets/storage"}
    assert {"name": "work", "emptyDir": {}} in spec["volumes"]
    assert {"name": "work", "mountPath": "/perennial/work"} in spec["containers"][0]["volumeMounts"]


def test_a_pod_starts_without_the_secret_of_a_mere_comparison() -> None:
    former = {"uri": "s3://former/v1", "credentials": {"secretName": "former"}, "version": 1, "digest": DIGEST}
    job = training_job(output=STORAGE, compareWith=former)
    spec = decide(job, Observed(DEFAULTS), NOW).apply[1]["spec"]["template"]["spec"]
    secrets = [volume["secret"] for volume in spec["volumes"] if "secret" in volume]
    assert {secret["secretName"]: secret["optional"] for secret in secrets} == {"former": True, "storage": False}
    assert _waiting(spec).secret_volumes == ("storage",)


def test_without_s3_nothing_of_it_is_in_the_pod() -> None:
    spec = decide(training_job(), Observed(DEFAULTS), NOW).apply[1]["spec"]["template"]["spec"]
    assert _secrets(spec) == {}
    assert "work" not in {volume["name"] for volume in spec["volumes"]}


def test_only_the_container_that_fetches_sees_the_secret_of_a_service() -> None:
    model = STORAGE | {"name": "writer", "digest": DIGEST}
    spec = decide_deployment(deployment(model=model), ObservedDeployment(DEFAULTS), NOW).apply[0]["spec"]
    containers = spec["template"]["spec"]
    assert _secrets(containers) == {"storage": "/perennial/secrets/storage"}
    assert containers["initContainers"][0]["command"][-2:] == ["--secret", "storage"]
    assert "secret" not in str(containers["containers"])


def _waiting(spec: dict[str, Any], since: str = "2026-03-01T11:59:00Z", **more: Any) -> PodView:
    """A pod of this spec whose volumes the node has been mounting since then."""
    condition = {"type": "PodReadyToStartContainers", "status": "False", "lastTransitionTime": since}
    creating = {"waiting": {"reason": "ContainerCreating"}}
    return PodView.of(pod("Pending", creating, conditions=[condition], **more) | {"spec": spec})


def test_a_secret_that_is_missing_is_asked_for_after_some_time() -> None:
    job = training_job(output=STORAGE)
    spec = {"volumes": [{"name": "secret-0", "secret": {"secretName": "storage"}}]}
    outcome = decide(job, Observed(DEFAULTS, job=JobView.of(batch_job()), pods=(_waiting(spec),)), NOW)
    stalled = next(c for c in outcome.status.conditions if c.type == "Stalled")
    assert (stalled.status, stalled.reason) == ("True", "VolumesNotMounted")
    assert 'does Secret "storage" exist? Run `kubectl describe pod p' in stalled.message


def test_of_a_pod_that_has_just_come_nothing_is_told_but_it_is_looked_at_again() -> None:
    spec = {"volumes": [{"name": "secret-0", "secret": {"secretName": "storage"}}]}
    seen = Observed(DEFAULTS, job=JobView.of(batch_job()), pods=(_waiting(spec, "2026-03-01T11:59:45Z"),))
    outcome = decide(training_job(output=STORAGE), seen, NOW)
    assert next(c for c in outcome.status.conditions if c.type == "Ready").reason == "Starting"
    assert outcome.again_at == after(seconds=30)


def test_a_slow_claim_without_any_secret_is_no_trouble() -> None:
    seen = Observed(DEFAULTS, job=JobView.of(batch_job()), pods=(_waiting({"volumes": []}),))
    outcome = decide(training_job(), seen, NOW)
    assert next(c for c in outcome.status.conditions if c.type == "Ready").reason == "Starting"


CLAIM = {"volumes": [{"name": "claim-0", "persistentVolumeClaim": {"claimName": "models"}}]}


def test_a_claim_that_another_node_holds_is_told_after_some_minutes() -> None:
    def ready(since: str) -> tuple[str, str]:
        seen = Observed(DEFAULTS, job=JobView.of(batch_job()), pods=(_waiting(CLAIM, since),))
        found = next(c for c in decide(training_job(), seen, NOW).status.conditions if c.type == "Ready")
        return found.reason, found.message

    assert ready("2026-03-01T11:56:00Z")[0] == "Starting"
    reason, message = ready("2026-03-01T11:55:00Z")
    assert reason == "VolumesNotMounted"
    assert 'PersistentVolumeClaim "models"; does a pod on another node use it?' in message
    assert "ReadWriteMany" in message


def test_a_service_whose_secret_is_missing_says_so() -> None:
    spec = {"volumes": [{"name": "secret-0", "secret": {"secretName": "storage"}}]}
    model = STORAGE | {"name": "writer", "digest": DIGEST, "version": 2}
    outcome = decide_deployment(
        deployment(model=model), ObservedDeployment(DEFAULTS, pods=(_waiting(spec, version="2"),)), NOW
    )
    assert next(c for c in outcome.status.conditions if c.type == "Stalled").reason == "VolumesNotMounted"


def _version(uri: str, secret: str) -> Version:
    artifact = {"uri": uri, "digest": DIGEST}
    more = {"uri": uri, "artifact": artifact, "credentials": {"secretName": secret}}
    return Version.model_validate(
        {
            "number": 1, "state": "Accepted", "trigger": "Initial", "fingerprint": "f", "trainingJob": "writer-v1",
            "startTime": "2026-03-01T12:00:00Z",
        } | more
    )  # fmt: skip


@pytest.mark.parametrize(
    ("uri", "used"),
    [("s3://models/folder/writer/v1", "new"), ("s3://older/writer/v1", "old"), ("s3://models/folder-2/v1", "old")],
)
def test_the_secret_of_the_spec_counts_and_of_a_storage_that_was_left_that_of_then(uri: str, used: str) -> None:
    model = language_model(storage={"uri": "s3://models/folder/", "credentials": {"secretName": "new"}})
    version = _version(uri, "old")
    assert deployment_spec(model, version)["model"]["credentials"] == {"secretName": used}
    template = cleanup(model, version, DEFAULTS)["spec"]["template"]["spec"]
    assert template["containers"][0]["command"][-2:] == ["--secret", used]
    assert _secrets(template) == {used: f"/perennial/secrets/{used}"}


def test_another_secret_is_no_reason_to_train_again_but_one_to_try_again() -> None:
    specs = [
        language_model(
            model={"architecture": None, "pretrained": {"uri": "s3://base/m"} | credentials},
            data={"train": [{"uri": "s3://b/a"} | credentials], "validation": {"uri": "s3://b/c"} | credentials},
            storage={"uri": "s3://models"} | credentials,
        ).spec
        for credentials in ({}, {"credentials": {"secretName": "a"}}, {"credentials": {"secretName": "b"}})
    ]  # fmt: skip
    assert len(set(map(fingerprint, specs))) == 1
    assert len(set(map(run_fingerprint, specs))) == 3


def test_specs_without_secrets_keep_the_fingerprints_that_they_had_before_there_were_any() -> None:
    """Of an operator that knew no credentials: a change would retrain every model."""
    spec = language_model().spec
    assert (fingerprint(spec), run_fingerprint(spec)) == ("b084b7519908c4a4", "5521b1b85b083f71")
