"""What follows for a TrainingJob: one row per rule."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from perennial.api import TrainingJob
from perennial.decide.kube import JobView
from perennial.decide.training_job.decide import decide
from perennial.decide.training_job.observed import Observed
from perennial_contract.result import Progress
from perennial_testing.specs.api_objects import (
    DIGEST,
    NOW,
    after,
    batch_job,
    cut_off,
    ended,
    pod,
    result,
    targeted,
    training_job,
    true,
)
from perennial_testing.specs.training_job_cases import StateCase, observe

FAILURE = {"perennial": "failure", "reason": "EmptyCorpus", "message": "pvc://corpus/train.txt holds no text."}
PROGRESS = Progress(step=30, max_steps=300, loss=4.5, validation_loss=4.6)
EVICTED = {"reason": "Evicted", "message": "Pod ephemeral local storage usage exceeds the total limit of 20Mi. "}
FULL = {"reason": "Evicted", "message": "The node was low on resource: ephemeral-storage. "}
SIGTERM = {"perennial": "failure", "reason": "Terminated", "message": "SIGTERM at step 30."}
EVICTION = true("Ready", "PodEvicted", "Pod p leaves node worker-1.") | {"status": "False"}
WAITING = {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}
UNSCHEDULED = [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}]
UNPARSABLE = "pvc://corpus/../secrets"


def beside_a_proxy(minutes: float, end: dict[str, Any]) -> dict[str, Any]:
    """A pod whose training ended this long ago, and in which the proxy of a mesh goes on."""
    end["terminated"]["finishedAt"] = after(minutes=-minutes).isoformat()
    running = pod("Running", end)
    proxy = {"name": "mesh-proxy", "state": {"running": {}}}
    running["status"]["containerStatuses"].append(proxy)
    return running


def terminating(pod: dict[str, Any]) -> dict[str, Any]:
    return pod | {"metadata": pod["metadata"] | {"deletionTimestamp": "2026-03-01T12:00:00Z"}}


def just_begun(job: dict[str, Any]) -> dict[str, Any]:
    return job | {"status": job["status"] | {"startTime": NOW.isoformat()}}


STATES = {
    "A new object: the pod is being started": StateCase(
        observe(), state="Pending", reason="Starting", message="being started"
    ),
    "A Job without a pod: where to look is said": StateCase(
        observe(job=batch_job()), state="Pending", reason="WaitingForPod", message="kubectl describe job writer-v1"
    ),
    "A Job that has just begun: its pod will come": StateCase(
        observe(job=just_begun(batch_job())), state="Pending", reason="Starting", message="being started"
    ),
    "A Job that nobody has begun yet": StateCase(
        observe(job=batch_job() | {"status": {}}), state="Pending", reason="Starting", message="being started"
    ),
    "A URI that can't be read": StateCase(
        job=training_job(data={"train": [{"uri": UNPARSABLE}]}),
        observed=observe(),
        state="Pending",
        reason="InvalidUri",
        message="leaves its root",
        stalled=True,
    ),
    "A claim that is not there": StateCase(
        observe(missing=('PersistentVolumeClaim "corpus"',)),
        state="Pending",
        reason="InputMissing",
        message='PersistentVolumeClaim "corpus" not found in namespace "demo"',
        stalled=True,
    ),
    "Two things that are not there are both named": StateCase(
        observe(missing=("A", "B")), state="Pending", reason="InputMissing", message="A and B not found", stalled=True
    ),
    "A ConfigMap that was deleted under a running pod does it no harm": StateCase(
        observe(pod("Running"), job=batch_job(), missing=("A",)), state="Running", reason="Training"
    ),
    "A pod that runs": StateCase(
        observe(pod("Running"), job=batch_job(), progress=PROGRESS),
        state="Running",
        reason="Training",
        message="at step 30 of 300",
    ),
    "A pod that no node takes may get a node later": StateCase(
        observe(pod("Pending", conditions=UNSCHEDULED), job=batch_job()),
        state="Pending",
        reason="Unschedulable",
        message="0/1 nodes are available",
    ),
    "An image that can't be pulled": StateCase(
        observe(pod("Pending", WAITING), job=batch_job()),
        state="Pending",
        reason="ImagePullFailed",
        message="training:1 can't be pulled: not found",
        stalled=True,
    ),
    "A container that can't be made": StateCase(
        observe(pod("Pending", {"waiting": {"reason": "CreateContainerConfigError", "message": "no key"}})),
        state="Pending",
        reason="ContainerNotStarted",
        message="no key",
        stalled=True,
    ),
    "A pod that failed and is followed by another": StateCase(
        observe(pod("Failed", ended(1)), job=batch_job()),
        state="Pending",
        reason="ContainerFailed",
        message="exit code 1. Another pod will be started.",
    ),
    "A pod that ran out of memory and is followed by another": StateCase(
        observe(pod("Failed", ended(137, reason="OOMKilled")), job=batch_job()),
        state="Pending",
        reason="OutOfMemory",
        message="raise resources.limits.memory. Another pod",
    ),
    "A pod that the kubelet ended, and not the training": StateCase(
        observe(pod("Failed", ended(137), **EVICTED), job=batch_job()),
        state="Pending",
        reason="Evicted",
        message="exceeds the total limit of 20Mi. Raise the limit or request that it names, or free the node's disk or "
        "memory. Another pod will be started.",
    ),
    "A pod that the kubelet ended, and a training that was told to stop": StateCase(
        observe(pod("Failed", ended(137, SIGTERM), **EVICTED), job=batch_job()),
        state="Pending",
        reason="Evicted",
        message="exceeds the total limit of 20Mi.",
    ),
    "A pod on a node that does not report trains no more, whatever its phase": StateCase(
        observe(pod("Running", {"running": {}}, conditions=cut_off()), job=batch_job(), progress=PROGRESS),
        state="Pending",
        reason="NodeLost",
        message="Node worker-1 of pod p has been unreachable since 2026-03-01T11:59:00Z; Kubernetes deletes the pod "
        "after 5 minutes, unless the node reports again. Another pod continues",
    ),
    "A pod that can't end, as its node does not report": StateCase(
        observe(terminating(pod("Running", {"running": {}}, conditions=cut_off())), job=batch_job()),
        state="Pending",
        reason="NodeLost",
        message="can't end there; repair the node, or run `kubectl delete node worker-1`.",
    ),
    "A pod that a drain evicts": StateCase(
        observe(
            terminating(pod("Running", {"running": {}}, conditions=targeted("EvictionByEvictionAPI"))), job=batch_job()
        ),
        state="Pending",
        reason="PodEvicted",
        message="Pod p leaves node worker-1: it was evicted, as by a drain. Another pod continues from the last",
    ),
    "A pod that a drain evicted: the SIGTERM that its training reports is not the cause": StateCase(
        observe(
            pod("Failed", ended(143, SIGTERM), conditions=targeted("EvictionByEvictionAPI")),
            pod("Pending", created="2026-03-01T11:30:00Z"),
            job=batch_job(),
        ),
        state="Pending",
        reason="PodEvicted",
        message="it was evicted, as by a drain. Another pod will be started.",
    ),
    "A pod that was evicted is gone, and the next one starts": StateCase(
        observe(pod("Pending", created="2026-03-01T11:30:00Z"), job=batch_job()),
        job=training_job({"conditions": [EVICTION]}),
        state="Pending",
        reason="PodEvicted",
        message="Pod p leaves node worker-1.",
    ),
    "The next pod runs: the eviction is the past": StateCase(
        observe(pod("Running", created="2026-03-01T11:30:00Z"), job=batch_job()),
        job=training_job({"conditions": [EVICTION]}),
        state="Running",
        reason="Training",
    ),
    "An eviction that an earlier spec saw is the past": StateCase(
        observe(job=just_begun(batch_job())),
        job=training_job({"conditions": [EVICTION]}, generation=2),
        state="Pending",
        reason="Starting",
    ),
    "A pod that makes room for another": StateCase(
        observe(pod("Running", {"running": {}}, conditions=targeted("PreemptionByScheduler")), job=batch_job()),
        state="Pending",
        reason="PodPreempted",
        message="a pod with a higher priority takes its place",
    ),
    "A node that was deleted": StateCase(
        observe(pod("Failed", {"running": {}}, conditions=targeted("DeletionByPodGC")), job=batch_job()),
        state="Pending",
        reason="NodeLost",
        message="Pod p leaves node worker-1: the node is out of service or no longer exists.",
    ),
    "A full disk of the node": StateCase(
        observe(
            pod("Failed", ended(137), conditions=targeted("TerminationByKubelet", FULL["message"]), **FULL),
            job=batch_job(),
        ),
        state="Pending",
        reason="Evicted",
        message="The node was low on resource: ephemeral-storage. Raise the limit",
    ),
    "A pod that failed and is the last one": StateCase(
        observe(pod("Failed", ended(1)), job=batch_job()),
        job=training_job(training={"backoffLimit": 0}),
        state="Pending",
        reason="ContainerFailed",
        message="The container ended with exit code 1.",
    ),
    "A pod that failed for good: its message is a sentence": StateCase(
        observe(pod("Failed", ended(65, FAILURE | {"message": "it holds no text"})), job=batch_job()),
        state="Pending",
        reason="EmptyCorpus",
        message="it holds no text.",
    ),
    "A Job that failed, of which the kubelet ended the pod before it began": StateCase(
        observe(pod("Failed", **EVICTED), job=batch_job("Failed", reason="BackoffLimitExceeded")),
        state="Failed",
        reason="Evicted",
        message="exceeds the total limit of 20Mi.",
        stalled=True,
    ),
    "A training that ended well in a pod that does not end": StateCase(
        observe(beside_a_proxy(1, ended(0, result())), job=batch_job()),
        state="Complete",
        reason="Trained",
        message="300 steps; validation loss 2.0",
    ),
    "A training that has just ended, in a pod that will end too": StateCase(
        observe(beside_a_proxy(0.2, ended(0, result())), job=batch_job()), state="Running", reason="Finishing"
    ),
    "A training that failed in a pod that does not end": StateCase(
        observe(beside_a_proxy(1, ended(65, FAILURE)), job=batch_job()),
        state="Failed",
        reason="EmptyCorpus",
        message="holds no text. It is not tried again, as its pod does not end: mesh-proxy goes on.",
        stalled=True,
    ),
    "A training that has just failed, in a pod that will end too": StateCase(
        observe(beside_a_proxy(0.2, ended(1)), job=batch_job()), state="Pending", reason="ContainerFailed"
    ),
    "The second pod runs: the first one's end is the past": StateCase(
        observe(pod("Failed", ended(1)), pod("Running", created="2026-03-01T11:30:00Z")),
        state="Running",
        reason="Training",
    ),
    "The second pod succeeded and the Job does not know yet": StateCase(
        observe(pod("Failed", ended(1)), pod("Succeeded", ended(0), created="2026-03-01T11:30:00Z")),
        state="Running",
        reason="Finishing",
    ),
    "A Job that failed, with the reason that the pod left": StateCase(
        observe(pod("Failed", ended(65, FAILURE)), job=batch_job("Failed")),
        state="Failed",
        reason="EmptyCorpus",
        message="pvc://corpus/train.txt holds no text.",
        stalled=True,
    ),
    "A Job that failed, of which the last pod's end counts": StateCase(
        observe(
            pod("Failed", ended(65, FAILURE, finishedAt="2026-03-01T12:02:00Z")),
            pod("Failed", ended(1)),
            job=batch_job("Failed"),
        ),
        state="Failed",
        reason="EmptyCorpus",
        stalled=True,
    ),
    "A Job that failed and whose pods are gone: what the Job says": StateCase(
        observe(job=batch_job("Failed", reason="BackoffLimitExceeded", message="Job has reached the backoff limit")),
        state="Failed",
        reason="BackoffLimitExceeded",
        message="backoff limit",
        stalled=True,
    ),
    "A failure message that is no JSON": StateCase(
        observe(pod("Failed", ended(1, "Traceback …")), job=batch_job("Failed")),
        state="Failed",
        reason="ContainerFailed",
        message="exit code 1",
        stalled=True,
    ),
    "A failure message that is JSON, but no object": StateCase(
        observe(pod("Failed", ended(1, "[1]")), job=batch_job("Failed")),
        state="Failed",
        reason="ContainerFailed",
        message="exit code 1",
        stalled=True,
    ),
    "A complete Job with a result": StateCase(
        observe(pod("Succeeded", ended(0, result())), job=batch_job("Complete")),
        state="Complete",
        reason="Trained",
        message="300 steps; validation loss 2.0",
    ),
    "A complete Job whose first pod failed": StateCase(
        observe(pod("Failed", ended(1)), pod("Succeeded", ended(0, result())), job=batch_job("Complete")),
        state="Complete",
        reason="Trained",
    ),
    "A complete Job without a pod": StateCase(
        observe(job=batch_job("Complete")),
        state="Failed",
        reason="NoResult",
        message="termination message",
        stalled=True,
    ),
    "A result without metrics": StateCase(
        observe(pod("Succeeded", ended(0, {"perennial": "result", "steps": 1})), job=batch_job("Complete")),
        state="Failed",
        reason="NoResult",
        message="termination message",
        stalled=True,
    ),
    "A result whose loss is not a number": StateCase(
        observe(pod("Succeeded", ended(0, result(loss=float("nan")))), job=batch_job("Complete")),
        state="Failed",
        reason="NoResult",
        message="termination message",
        stalled=True,
    ),
    "A result that speaks of another folder": StateCase(
        observe(pod("Succeeded", ended(0, result(uri="pvc://elsewhere/v1"))), job=batch_job("Complete")),
        state="Failed",
        reason="WrongResult",
        message="pvc://elsewhere/v1 instead of pvc://models/demo/v1",
        stalled=True,
    ),
    "Suspended": StateCase(
        job=training_job(suspend=True),
        observed=observe(job=batch_job()),
        state="Suspended",
        reason="Suspended",
        message="set it to false",
    ),
    "Suspended, though something is missing": StateCase(
        job=training_job(suspend=True), observed=observe(missing=("A",)), state="Suspended", reason="Suspended"
    ),
    "Complete before it was suspended": StateCase(
        job=training_job(suspend=True),
        observed=observe(pod("Succeeded", ended(0, result())), job=batch_job("Complete")),
        state="Complete",
        reason="Trained",
    ),
}


@pytest.mark.parametrize("case", STATES.values(), ids=STATES)
def test_state(case: StateCase) -> None:
    status = decide(case.job, case.observed, NOW).status
    conditions = {c.type: c for c in status.conditions}
    assert (status.state, conditions["Ready"].reason) == (case.state, case.reason)
    assert case.message in conditions["Ready"].message
    assert (conditions["Stalled"].status == "True") == case.stalled
    assert (conditions["Ready"].status == "True") == (case.state == "Complete")
    for name in ("Complete", "Failed", "Suspended"):
        assert (conditions[name].status == "True") == (case.state == name)
    assert not (conditions["Reconciling"].status == "True" and case.stalled)


@dataclass(frozen=True)
class AppliedCase:
    """What exists, and the kinds that are applied."""

    observed: Observed = field(default_factory=observe)
    job: TrainingJob = field(default_factory=training_job)
    kinds: list[str] = field(default_factory=list)


APPLIED = {
    "At first, configuration and Job": AppliedCase(kinds=["ConfigMap", "Job"]),
    "Once there is a Job, nothing": AppliedCase(observed=observe(job=batch_job())),
    "A Job to be suspended": AppliedCase(
        job=training_job(suspend=True), observed=observe(job=batch_job()), kinds=["Job"]
    ),
    "A suspended Job to be resumed": AppliedCase(observed=observe(job=batch_job(suspend=True)), kinds=["Job"]),
    "A suspended Job that stays so": AppliedCase(
        job=training_job(suspend=True), observed=observe(job=batch_job(suspend=True))
    ),
    "Nothing while an input is missing": AppliedCase(observed=observe(missing=("A",))),
    "Nothing with a URI that can't be read": AppliedCase(job=training_job(data={"train": [{"uri": UNPARSABLE}]})),
    "Nothing once it has ended": AppliedCase(observed=observe(job=batch_job("Failed"))),
    "A Job that somebody deleted is made again": AppliedCase(
        job=training_job({"state": "Running"}), kinds=["ConfigMap", "Job"]
    ),
}


@pytest.mark.parametrize("case", APPLIED.values(), ids=APPLIED)
def test_what_is_applied(case: AppliedCase) -> None:
    assert [manifest["kind"] for manifest in decide(case.job, case.observed, NOW).apply] == case.kinds


@pytest.mark.parametrize("state", ["Complete", "Failed"])
def test_a_run_that_ended_stays_ended_whatever_is_observed(state: str) -> None:
    stored = {"state": state, "conditions": [true(state)], "observedGeneration": 1}
    stored["completionTime"] = "2026-03-01T11:00:00Z"
    outcome = decide(training_job(stored), observe(), NOW)
    assert outcome.status == training_job(stored).status
    assert (outcome.apply, outcome.events, outcome.again_at) == ((), (), None)


def test_the_pods_that_outlive_a_training_go_with_its_job() -> None:
    """Once the result is stored; a Job that ends by itself stays, for its log."""
    outlived = observe(beside_a_proxy(1, ended(0, result())), job=batch_job())
    first = decide(training_job(), outlived, NOW)
    assert first.delete == ()
    done = training_job(first.status.to_wire())
    assert [reference.name for reference in decide(done, outlived, NOW).delete] == ["writer-v1"]
    for gone in (
        observe(beside_a_proxy(0.2, ended(0, result())), job=batch_job()),
        observe(pod("Succeeded", ended(0, result())), job=batch_job("Complete")),
    ):
        assert decide(done, gone, NOW).delete == ()


def test_a_run_that_ended_follows_the_generation_of_its_object() -> None:
    job = training_job()
    done = decide(job, observe(pod("Succeeded", ended(0, result())), job=batch_job("Complete")), NOW).status
    later = decide(training_job(done.to_wire(), generation=2, suspend=True), observe(), after(hours=1)).status
    assert later.observed_generation == 2
    assert {c.observed_generation for c in later.conditions} == {2}
    assert {c.last_transition_time for c in later.conditions} == {NOW}


def test_the_result_ends_the_progress_and_stays_in_the_status() -> None:
    job = training_job({"state": "Running", "progress": PROGRESS.to_wire()})
    status = decide(job, observe(pod("Succeeded", ended(0, result())), job=batch_job("Complete")), NOW).status
    assert status.progress
    assert (status.progress.step, status.progress.validation_loss) == (300, 2.0)
    assert status.result
    assert status.result.artifact.digest == DIGEST
    assert status.completion_time == NOW


def test_it_looks_again_while_it_runs_and_while_something_is_awaited_only() -> None:
    assert decide(training_job(), observe(pod("Running")), NOW).again_at == after(seconds=5)
    assert decide(training_job(), observe(missing=("A",)), NOW).again_at == after(seconds=10)
    assert decide(training_job(), observe(), NOW).again_at is None
    assert decide(training_job(), observe(beside_a_proxy(0.2, ended(1))), NOW).again_at == after(seconds=30)
    assert decide(training_job(), observe(job=just_begun(batch_job())), NOW).again_at == after(seconds=30)


def test_an_event_tells_a_change_once() -> None:
    first = decide(training_job(), observe(pod("Running")), NOW)
    assert [(e.type, e.reason) for e in first.events] == [("Normal", "Training")]
    stored = training_job(first.status.to_wire())
    assert decide(stored, observe(pod("Running"), progress=PROGRESS), after(minutes=1)).events == ()


def test_the_job_follows_the_restricted_profile_and_fails_at_once_on_bad_input() -> None:
    compute = {"gpusPerNode": 2, "resources": {"requests": {"cpu": "1"}}}
    job = training_job(training={"backoffLimit": 7, "compute": compute})
    configuration, batch = decide(job, observe(), NOW).apply
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
    pod_spec = decide(job, observe(), NOW).apply[1]["spec"]["template"]["spec"]
    mounts = {mount["mountPath"] for mount in pod_spec["containers"][0]["volumeMounts"]}
    assert mounts == {
        "/tmp", "/etc/perennial", "/perennial/claims/corpus", "/perennial/claims/models", "/perennial/configmaps/texts",
    }  # fmt: skip
    assert {m["name"] for m in pod_spec["containers"][0]["volumeMounts"]} == {v["name"] for v in pod_spec["volumes"]}


FORMER = {"version": 1, "uri": "pvc://former/v1", "digest": DIGEST}
GONE = ('PersistentVolumeClaim "former"',)


def mounting(*claims: str, suspend: bool = False) -> dict[str, Any]:
    """A Job whose pod mounts these claims."""
    batch = batch_job(suspend=suspend) | {"metadata": {"name": "writer-v1", "uid": "u"}}
    volumes = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims]
    template = batch["spec"]["template"]["spec"] | {"volumes": volumes}
    return batch | {"spec": batch["spec"] | {"template": {"spec": template}}}


@dataclass(frozen=True)
class ComparisonCase:
    """What is observed of a run that is compared with an artifact in another claim; then what follows.

    claims: those that the pod of an applied Job mounts.
    """

    observed: Observed
    reason: str = "Starting"
    claims: tuple[str, ...] | None = None
    deleted: tuple[str, ...] = ()
    spec: dict[str, Any] = field(default_factory=dict)


ALL = ("corpus", "former", "models")
COMPARISONS = {
    "A claim that is there is mounted": ComparisonCase(observe(), claims=ALL),
    "A claim that is gone is not mounted": ComparisonCase(
        observe(missing_comparison=GONE), claims=("corpus", "models")
    ),
    "A claim that the training needs as well is waited for": ComparisonCase(
        observe(missing=GONE, missing_comparison=GONE),
        reason="InputMissing",
        spec={"data": {"train": [{"uri": "pvc://former/train.txt"}]}},
    ),
    "A Job that mounts it is not changed when it is resumed": ComparisonCase(
        observe(job=mounting(*ALL, suspend=True)), reason="WaitingForPod", claims=ALL
    ),
    "A Job that does not mount it is not changed when the claim comes back": ComparisonCase(
        observe(job=mounting("corpus", "models", suspend=True)), reason="WaitingForPod", claims=("corpus", "models")
    ),
    "A Job that waits for a claim that is gone is deleted": ComparisonCase(
        observe(pod("Pending"), job=mounting(*ALL), missing_comparison=GONE), deleted=("writer-v1",)
    ),
    "A suspended Job is deleted when it is resumed": ComparisonCase(
        observe(job=mounting(*ALL, suspend=True), missing_comparison=GONE),
        reason="WaitingForPod",
        deleted=("writer-v1",),
    ),
    "A suspended Job waits": ComparisonCase(
        observe(job=mounting(*ALL, suspend=True), missing_comparison=GONE), reason="Suspended", spec={"suspend": True}
    ),
    "A Job that does not mount it goes on": ComparisonCase(
        observe(pod("Pending"), job=mounting("corpus", "models"), missing_comparison=GONE)
    ),
    "A training that has succeeded completes": ComparisonCase(
        observe(pod("Succeeded", ended(0, result())), job=mounting(*ALL), missing_comparison=GONE), reason="Finishing"
    ),
}


@pytest.mark.parametrize("case", COMPARISONS.values(), ids=COMPARISONS)
def test_a_comparison_never_keeps_a_training_from_starting(case: ComparisonCase) -> None:
    outcome = decide(training_job(compareWith=FORMER, **case.spec), case.observed, NOW)
    ready = next(c for c in outcome.status.conditions if c.type == "Ready")
    assert ready.reason == case.reason
    jobs = [JobView.of(manifest) for manifest in outcome.apply if manifest["kind"] == "Job"]
    assert [tuple(sorted(batch.claims)) for batch in jobs] == ([case.claims] if case.claims else [])
    assert tuple(reference.name for reference in outcome.delete) == case.deleted


def test_what_it_is_compared_with_stays_in_the_configuration_without_its_claim() -> None:
    config_map, _ = decide(training_job(compareWith=FORMER), observe(missing_comparison=GONE), NOW).apply
    assert json.loads(config_map["data"]["job.json"])["compareWith"]["uri"] == "pvc://former/v1"


def test_a_job_that_exists_keeps_its_image() -> None:
    (batch,) = decide(training_job(suspend=True), observe(job=batch_job()), NOW).apply
    assert batch["spec"]["template"]["spec"]["containers"][0]["image"] == "training:0"


def test_the_configuration_of_the_pod_is_what_the_contract_says() -> None:
    job = training_job(
        training={"hyperparameters": {"maxSteps": 55, "warmupSteps": 5}},
        data={"preprocessing": {"normalizeUnicode": "None"}},
        compareWith={"version": 1, "uri": "pvc://models/v0", "digest": DIGEST},
    )
    config = json.loads(decide(job, observe(), NOW).apply[0]["data"]["job.json"])
    assert list(config) == ["schema", "job", "task", "model", "data", "training", "compareWith", "output"]
    assert config["data"]["preprocessing"]["normalizeUnicode"] == "None"
    assert config["training"]["evaluateEverySteps"] == 5
    assert set(config["training"]) == {"hyperparameters", "evaluateEverySteps", "checkpoints", "compute"}
    assert config["compareWith"]["version"] == 1
