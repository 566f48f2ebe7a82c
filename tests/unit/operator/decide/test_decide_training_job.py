"""What follows for a TrainingJob: one row per rule."""

import json
from typing import Any

import pytest
from given import DEFAULTS, DIGEST, NOW, after, batch_job, ended, pod, result, training_job

from perennial.api import TrainingJob
from perennial.decide.kube import JobView, PodView
from perennial.decide.training_job.decide import decide
from perennial.decide.training_job.observed import Observed
from perennial_contract.result import Progress

FAILURE = {"perennial": "failure", "reason": "EmptyCorpus", "message": "pvc://corpus/train.txt holds no text."}
PROGRESS = Progress(step=30, max_steps=300, loss=4.5, validation_loss=4.6)
WAITING = {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}
UNSCHEDULED = [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}]
UNPARSABLE = "pvc://corpus/../secrets"


def seen(*pods: dict[str, Any], job: dict[str, Any] | None = None, **more: Any) -> Observed:
    return Observed(DEFAULTS, job=JobView.of(job) if job else None, pods=tuple(map(PodView.of, pods)), **more)


def just_begun(job: dict[str, Any]) -> dict[str, Any]:
    return job | {"status": job["status"] | {"startTime": NOW.isoformat()}}


# What is observed; the state, the reason, a part of the message, and whether it stands still.
STATES: dict[str, tuple[TrainingJob, Observed, str, str, str, bool]] = {
    "A new object: the pod is being started": (
        training_job(), seen(), "Pending", "Starting", "being started", False,
    ),
    "A Job without a pod: where to look is said": (
        training_job(), seen(job=batch_job()), "Pending", "WaitingForPod", "kubectl describe job writer-v1", False,
    ),
    "A Job that has just begun: its pod will come": (
        training_job(), seen(job=just_begun(batch_job())), "Pending", "Starting", "being started", False,
    ),
    "A Job that nobody has begun yet": (
        training_job(), seen(job=batch_job() | {"status": {}}), "Pending", "Starting", "being started", False,
    ),
    "A URI that can't be read": (
        training_job(data={"train": [{"uri": UNPARSABLE}]}), seen(), "Pending", "InvalidUri", "leaves its root", True,
    ),
    "A claim that is not there": (
        training_job(), seen(missing=('PersistentVolumeClaim "corpus"',)),
        "Pending", "InputMissing", 'PersistentVolumeClaim "corpus" not found in namespace "demo"', True,
    ),
    "Two things that are not there are both named": (
        training_job(), seen(missing=("A", "B")), "Pending", "InputMissing", "A and B not found", True,
    ),
    "A ConfigMap that was deleted under a running pod does it no harm": (
        training_job(), seen(pod("Running"), job=batch_job(), missing=("A",)), "Running", "Training", "", False,
    ),
    "A pod that runs": (
        training_job(), seen(pod("Running"), job=batch_job(), progress=PROGRESS),
        "Running", "Training", "at step 30 of 300", False,
    ),
    "A pod that no node takes may get a node later": (
        training_job(), seen(pod("Pending", conditions=UNSCHEDULED), job=batch_job()),
        "Pending", "Unschedulable", "0/1 nodes are available", False,
    ),
    "An image that can't be pulled": (
        training_job(), seen(pod("Pending", WAITING), job=batch_job()),
        "Pending", "ImagePullFailed", "training:1 can't be pulled: not found", True,
    ),
    "A container that can't be made": (
        training_job(),
        seen(pod("Pending", {"waiting": {"reason": "CreateContainerConfigError", "message": "no key"}})),
        "Pending", "ContainerNotStarted", "no key", True,
    ),
    "A pod that failed and is followed by another": (
        training_job(), seen(pod("Failed", ended(1)), job=batch_job()),
        "Pending", "ContainerFailed", "exit code 1. A new pod will be tried.", False,
    ),
    "A pod that ran out of memory and is followed by another": (
        training_job(), seen(pod("Failed", ended(137, reason="OOMKilled")), job=batch_job()),
        "Pending", "OutOfMemory", "raise resources.limits.memory. A new pod", False,
    ),
    "The second pod runs: the first one's end is the past": (
        training_job(), seen(pod("Failed", ended(1)), pod("Running", created="2026-03-01T11:30:00Z")),
        "Running", "Training", "", False,
    ),
    "The second pod succeeded and the Job does not know yet": (
        training_job(), seen(pod("Failed", ended(1)), pod("Succeeded", ended(0), created="2026-03-01T11:30:00Z")),
        "Running", "Finishing", "", False,
    ),
    "A Job that failed, with the reason that the pod left": (
        training_job(), seen(pod("Failed", ended(65, FAILURE)), job=batch_job("Failed")),
        "Failed", "EmptyCorpus", "pvc://corpus/train.txt holds no text.", True,
    ),
    "A Job that failed, of which the last pod's end counts": (
        training_job(),
        seen(
            pod("Failed", ended(65, FAILURE, finishedAt="2026-03-01T12:02:00Z")),
            pod("Failed", ended(1)),
            job=batch_job("Failed"),
        ),
        "Failed", "EmptyCorpus", "", True,
    ),
    "A Job that failed and whose pods are gone: what the Job says": (
        training_job(),
        seen(job=batch_job("Failed", reason="BackoffLimitExceeded", message="Job has reached the backoff limit")),
        "Failed", "BackoffLimitExceeded", "backoff limit", True,
    ),
    "A failure message that is no JSON": (
        training_job(), seen(pod("Failed", ended(1, "Traceback …")), job=batch_job("Failed")),
        "Failed", "ContainerFailed", "exit code 1", True,
    ),
    "A failure message that is JSON, but no object": (
        training_job(), seen(pod("Failed", ended(1, "[1]")), job=batch_job("Failed")),
        "Failed", "ContainerFailed", "exit code 1", True,
    ),
    "A complete Job with a result": (
        training_job(), seen(pod("Succeeded", ended(0, result())), job=batch_job("Complete")),
        "Complete", "Trained", "300 steps; validation loss 2.0", False,
    ),
    "A complete Job whose first pod failed": (
        training_job(), seen(pod("Failed", ended(1)), pod("Succeeded", ended(0, result())), job=batch_job("Complete")),
        "Complete", "Trained", "", False,
    ),
    "A complete Job without a pod": (
        training_job(), seen(job=batch_job("Complete")), "Failed", "NoResult", "termination message", True,
    ),
    "A result without metrics": (
        training_job(),
        seen(pod("Succeeded", ended(0, {"perennial": "result", "steps": 1})), job=batch_job("Complete")),
        "Failed", "NoResult", "termination message", True,
    ),
    "A result whose loss is not a number": (
        training_job(), seen(pod("Succeeded", ended(0, result(loss=float("nan")))), job=batch_job("Complete")),
        "Failed", "NoResult", "termination message", True,
    ),
    "A result that speaks of another folder": (
        training_job(),
        seen(pod("Succeeded", ended(0, result(uri="pvc://elsewhere/v1"))), job=batch_job("Complete")),
        "Failed", "WrongResult", "pvc://elsewhere/v1 instead of pvc://models/demo/v1", True,
    ),
    "Suspended": (
        training_job(suspend=True), seen(job=batch_job()), "Suspended", "Suspended", "set it to false", False,
    ),
    "Suspended, though something is missing": (
        training_job(suspend=True), seen(missing=("A",)), "Suspended", "Suspended", "", False,
    ),
    "Complete before it was suspended": (
        training_job(suspend=True), seen(pod("Succeeded", ended(0, result())), job=batch_job("Complete")),
        "Complete", "Trained", "", False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", STATES)
def test_state(case: str) -> None:
    job, observed, state, reason, message, stalled = STATES[case]
    status = decide(job, observed, NOW).status
    conditions = {c.type: c for c in status.conditions}
    assert (status.state, conditions["Ready"].reason) == (state, reason)
    assert message in conditions["Ready"].message
    assert (conditions["Stalled"].status == "True") == stalled
    assert (conditions["Ready"].status == "True") == (state == "Complete")
    for name in ("Complete", "Failed", "Suspended"):
        assert (conditions[name].status == "True") == (state == name)
    assert not (conditions["Reconciling"].status == "True" and stalled)


# What exists; the kinds that are applied.
APPLIED = {
    "At first, configuration and Job": (training_job(), seen(), ["ConfigMap", "Job"]),
    "Once there is a Job, nothing": (training_job(), seen(job=batch_job()), []),
    "A Job to be suspended": (training_job(suspend=True), seen(job=batch_job()), ["ConfigMap", "Job"]),
    "A suspended Job to be resumed": (training_job(), seen(job=batch_job(suspend=True)), ["ConfigMap", "Job"]),
    "A suspended Job that stays so": (training_job(suspend=True), seen(job=batch_job(suspend=True)), []),
    "Nothing while an input is missing": (training_job(), seen(missing=("A",)), []),
    "Nothing with a URI that can't be read": (training_job(data={"train": [{"uri": UNPARSABLE}]}), seen(), []),
    "Nothing once it has ended": (training_job(), seen(job=batch_job("Failed")), []),
    "A Job that somebody deleted is made again": (training_job({"state": "Running"}), seen(), ["ConfigMap", "Job"]),
}


@pytest.mark.parametrize("case", APPLIED)
def test_what_is_applied(case: str) -> None:
    job, observed, kinds = APPLIED[case]
    assert [manifest["kind"] for manifest in decide(job, observed, NOW).apply] == kinds


@pytest.mark.parametrize("state", ["Complete", "Failed"])
def test_a_run_that_ended_stays_ended_whatever_is_observed(state: str) -> None:
    stored = {"state": state, "observedGeneration": 1, "completionTime": "2026-03-01T11:00:00Z"}
    outcome = decide(training_job(stored), seen(), NOW)
    assert outcome.status == training_job(stored).status
    assert (outcome.apply, outcome.events, outcome.again_at) == ((), (), None)


def test_a_run_that_ended_follows_the_generation_of_its_object() -> None:
    job = training_job()
    done = decide(job, seen(pod("Succeeded", ended(0, result())), job=batch_job("Complete")), NOW).status
    later = decide(training_job(done.to_wire(), generation=2, suspend=True), seen(), after(hours=1)).status
    assert later.observed_generation == 2
    assert {c.observed_generation for c in later.conditions} == {2}
    assert {c.last_transition_time for c in later.conditions} == {NOW}


def test_the_result_ends_the_progress_and_stays_in_the_status() -> None:
    job = training_job({"state": "Running", "progress": PROGRESS.to_wire()})
    status = decide(job, seen(pod("Succeeded", ended(0, result())), job=batch_job("Complete")), NOW).status
    assert status.progress
    assert (status.progress.step, status.progress.validation_loss) == (300, 2.0)
    assert status.result
    assert status.result.artifact.digest == DIGEST
    assert status.completion_time == NOW


def test_it_looks_again_while_it_runs_and_while_something_is_awaited_only() -> None:
    assert decide(training_job(), seen(pod("Running")), NOW).again_at == after(seconds=5)
    assert decide(training_job(), seen(missing=("A",)), NOW).again_at == after(seconds=10)
    assert decide(training_job(), seen(), NOW).again_at is None
    assert decide(training_job(), seen(job=just_begun(batch_job())), NOW).again_at == after(seconds=30)


def test_an_event_tells_a_change_once() -> None:
    first = decide(training_job(), seen(pod("Running")), NOW)
    assert [(e.type, e.reason) for e in first.events] == [("Normal", "Training")]
    stored = training_job(first.status.to_wire())
    assert decide(stored, seen(pod("Running"), progress=PROGRESS), after(minutes=1)).events == ()


def test_the_job_follows_the_restricted_profile_and_fails_at_once_on_bad_input() -> None:
    compute = {"gpusPerNode": 2, "resources": {"requests": {"cpu": "1"}}}
    job = training_job(training={"backoffLimit": 7, "compute": compute})
    configuration, batch = decide(job, seen(), NOW).apply
    spec = batch["spec"]
    pod_spec = spec["template"]["spec"]
    (container,) = pod_spec["containers"]
    assert pod_spec["securityContext"]["runAsNonRoot"]
    assert pod_spec["automountServiceAccountToken"] is False
    assert pod_spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert container["resources"] == {"requests": {"cpu": "1"}, "limits": {"nvidia.com/gpu": "2"}}
    assert (spec["backoffLimit"], spec["completions"], spec["parallelism"]) == (7, 1, 1)
    disruption, final, consequence = spec["podFailurePolicy"]["rules"]
    assert (disruption["action"], final["action"], consequence["action"]) == ("Ignore", "FailJob", "Ignore")
    assert disruption["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]  # a spot node that goes
    assert consequence["onExitCodes"]["values"] == [76]
    assert set(final["onExitCodes"]["values"]) >= {65, 66, 78}
    assert configuration["immutable"] is True
    for manifest in (configuration, batch):
        (owner,) = manifest["metadata"]["ownerReferences"]
        assert owner["controller"]
        assert owner["uid"] == job.metadata.uid
        assert manifest["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "perennial"


def test_claims_and_configmaps_are_mounted_where_the_pod_looks_for_them() -> None:
    job = training_job(data={"train": [{"uri": "configmap://texts/a.txt"}, {"uri": "pvc://corpus/b.txt"}]})
    pod_spec = decide(job, seen(), NOW).apply[1]["spec"]["template"]["spec"]
    mounts = {mount["mountPath"] for mount in pod_spec["containers"][0]["volumeMounts"]}
    assert mounts == {
        "/tmp", "/etc/perennial", "/perennial/claims/corpus", "/perennial/claims/models", "/perennial/configmaps/texts",
    }  # fmt: skip
    assert {m["name"] for m in pod_spec["containers"][0]["volumeMounts"]} == {v["name"] for v in pod_spec["volumes"]}


def test_a_job_that_exists_keeps_its_image() -> None:
    _, batch = decide(training_job(suspend=True), seen(job=batch_job()), NOW).apply
    assert batch["spec"]["template"]["spec"]["containers"][0]["image"] == "training:0"


def test_the_configuration_of_the_pod_is_what_the_contract_says() -> None:
    job = training_job(
        training={"hyperparameters": {"maxSteps": 55, "warmupSteps": 5}},
        data={"preprocessing": {"normalizeUnicode": "None"}},
        compareWith={"version": 1, "uri": "pvc://models/v0", "digest": DIGEST},
    )
    config = json.loads(decide(job, seen(), NOW).apply[0]["data"]["job.json"])
    assert list(config) == ["schema", "job", "task", "model", "data", "training", "compareWith", "output"]
    assert config["data"]["preprocessing"]["normalizeUnicode"] == "None"
    assert config["training"]["evaluateEverySteps"] == 5
    assert set(config["training"]) == {"hyperparameters", "evaluateEverySteps", "checkpoints", "compute"}
    assert config["compareWith"]["version"] == 1
