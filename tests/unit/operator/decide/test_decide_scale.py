"""Several pods, queues, deadlines, what is laid over pods, programs of one's own."""

import json
from typing import Any

import pytest

from perennial.api import TrainingJob
from perennial.decide.fingerprint import fingerprint, run_fingerprint
from perennial.decide.kube import PodView
from perennial.decide.outcome import Manifest, Outcome
from perennial.decide.pods.diagnosis import trouble
from perennial.decide.training_job.decide import decide
from perennial_testing.specs.api_objects import (
    NOW,
    after,
    batch_job,
    ended,
    language_model,
    pod,
    result,
    training_job,
    true,
)
from perennial_testing.specs.training_job_cases import StateCase, observe

TWO: dict[str, Any] = {"compute": {"nodes": 2, "gpusPerNode": 4, "sharding": "FSDP"}}
INDEX = "batch.kubernetes.io/job-completion-index"
OWN = {"runtime": {"image": "own:1", "command": ["train"], "args": ["--fast"], "parameters": {"units": "64"}}}


def of_index(index: int, pod: Manifest) -> Manifest:
    return pod | {"metadata": pod["metadata"] | {"labels": {INDEX: str(index)}}}


def leaving(pod: Manifest) -> Manifest:
    """The pod, being deleted."""
    return pod | {"metadata": pod["metadata"] | {"deletionTimestamp": "2026-03-01T12:00:00Z"}}


def running(nodes: int = 2, **spec: Any) -> Manifest:
    batch = batch_job()
    return batch | {"spec": batch["spec"] | {"parallelism": nodes} | spec, "metadata": {"name": "w", "uid": "u"}}


def told(outcome: Outcome) -> tuple[str, str, str]:
    status = outcome.status
    assert isinstance(status, type(training_job().status))
    (ready,) = (condition for condition in status.conditions if condition.type == "Ready")
    return status.state, ready.reason, ready.message


def container_of(batch: Manifest) -> Manifest:
    (container,) = batch["spec"]["template"]["spec"]["containers"]
    found: Manifest = container
    return found


def env_of(batch: Manifest) -> dict[str, str]:
    return {variable["name"]: variable.get("value", "") for variable in container_of(batch)["env"]}


def test_two_nodes_are_two_pods_that_find_each_other() -> None:
    job = training_job(training=TWO | {"backoffLimit": 3})
    config, service, batch = decide(job, observe(), NOW).apply
    spec = batch["spec"]
    assert (spec["completions"], spec["parallelism"], spec["completionMode"]) == (2, 2, "Indexed")
    assert spec["backoffLimit"] == 6  # one failure may take both pods down
    assert spec["successPolicy"] == {"rules": [{"succeededIndexes": "0", "succeededCount": 1}]}
    assert service["kind"] == "Service"
    assert (service["spec"]["clusterIP"], service["spec"]["publishNotReadyAddresses"]) == ("None", True)
    assert service["spec"]["selector"].items() <= spec["template"]["metadata"]["labels"].items()
    assert spec["template"]["spec"]["subdomain"] == service["metadata"]["name"]
    environment = env_of(batch)
    assert environment["MASTER_ADDR"] == "writer-v1-0.writer-v1"
    assert (environment["PERENNIAL_NODES"], environment["PERENNIAL_PROCESSES_PER_NODE"]) == ("2", "4")
    compute = json.loads(config["data"]["job.json"])["training"]["compute"]
    assert compute == {"nodes": 2, "gpusPerNode": 4, "sharding": "FSDP"}


def test_one_node_has_no_service_and_finds_itself() -> None:
    config, batch = decide(training_job(), observe(), NOW).apply
    assert "subdomain" not in batch["spec"]["template"]["spec"]
    assert "successPolicy" not in batch["spec"]
    assert env_of(batch)["MASTER_ADDR"] == "localhost"
    compute = json.loads(config["data"]["job.json"])["training"]["compute"]
    assert compute == {"nodes": 1, "gpusPerNode": 0, "sharding": "None"}


def test_a_job_with_too_few_pods_is_put_right() -> None:
    job = training_job(training=TWO)
    assert len(decide(job, observe(job=running(nodes=1)), NOW).apply) == 2
    assert decide(job, observe(job=running(nodes=2)), NOW).apply == ()


UNSCHEDULED = [
    {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."}
]
LOST = of_index(1, pod("Failed", ended(76, finishedAt="2026-03-01T12:05:00Z")))
CULPRIT = of_index(0, pod("Failed", ended(1, {"perennial": "failure", "reason": "NaN", "message": "It diverged."})))


STATES = {
    "One runs, the other has no node": StateCase(
        observe(of_index(0, pod("Running")), of_index(1, pod("Pending", conditions=UNSCHEDULED)), job=running()),
        state="Pending",
        reason="Unschedulable",
        message="enough nvidia.com/gpu free",
    ),
    "One runs, the other starts": StateCase(
        observe(of_index(0, pod("Running")), of_index(1, pod("Pending")), job=running()),
        state="Pending",
        reason="Starting",
        message="1 of 2 pods run",
    ),
    "One runs, the other is not there": StateCase(
        observe(of_index(0, pod("Running")), job=running()),
        state="Pending",
        reason="WaitingForPod",
        message="Not all of the 2 pods",
    ),
    "Both run": StateCase(
        observe(of_index(0, pod("Running")), of_index(1, pod("Running")), job=running()),
        state="Running",
        reason="Training",
    ),
    "One runs, the other is on its way out": StateCase(
        observe(of_index(0, pod("Running")), of_index(1, leaving(pod("Running"))), job=running()),
        state="Pending",
        reason="Starting",
        message="1 of 2 pods run",
    ),
    "The helper has ended already": StateCase(
        observe(of_index(0, pod("Running")), of_index(1, pod("Succeeded", ended(0))), job=running()),
        state="Running",
        reason="Training",
    ),
    "Only the helper has ended: that is no end": StateCase(
        observe(of_index(0, pod("Pending")), of_index(1, pod("Succeeded", ended(0))), job=running()),
        state="Pending",
        reason="Starting",
    ),
    "A result counts from index 0 only": StateCase(
        observe(
            of_index(1, pod("Succeeded", ended(0, result(loss=9.0)))),
            of_index(0, pod("Succeeded", ended(0, result(loss=2.0)))),
            job=batch_job("Complete"),
        ),
        state="Complete",
        reason="Trained",
        message="loss 2.0",
    ),
    "Index 1 can't stand in for index 0": StateCase(
        observe(of_index(1, pod("Succeeded", ended(0, result()))), job=batch_job("Complete")),
        state="Failed",
        reason="NoResult",
    ),
    "The pod that began it says why, though the one that lost its peer ended later": StateCase(
        observe(CULPRIT, LOST, job=batch_job("Failed")), state="Failed", reason="NaN", message="It diverged."
    ),
    "Bad input outweighs the crash of another": StateCase(
        observe(
            of_index(1, pod("Failed", ended(1, finishedAt="2026-03-01T12:09:00Z"))),
            of_index(0, pod("Failed", ended(65, {"perennial": "failure", "reason": "EmptyCorpus", "message": "x"}))),
            job=batch_job("Failed"),
        ),
        state="Failed",
        reason="EmptyCorpus",
        message="x",
    ),
    "The quota lets one pod be made": StateCase(
        observe(of_index(0, pod("Running")), job=running(), refusal='pods "w-1" is forbidden: exceeded quota: gpus'),
        state="Pending",
        reason="QuotaExceeded",
        message="exceeded quota: gpus. Raise the quota",
    ),
    "Something else refuses the pod": StateCase(
        observe(job=running(), refusal="violates PodSecurity"),
        state="Pending",
        reason="PodRefused",
        message="violates PodSecurity.",
    ),
}


@pytest.mark.parametrize("case", STATES.values(), ids=STATES)
def test_state_of_two_pods(case: StateCase) -> None:
    state, reason, message = told(decide(training_job(training=TWO), case.observed, NOW))
    assert (state, reason) == (case.state, case.reason)
    assert case.message in message


def test_it_looks_again_while_a_pod_is_awaited() -> None:
    observed = observe(of_index(0, pod("Running")), job=running())
    assert decide(training_job(training=TWO), observed, NOW).again_at == after(seconds=30)


QUEUED = training_job(training={"queueName": "research"})


def test_a_job_in_a_queue_is_kueues_to_suspend() -> None:
    *_, batch = decide(QUEUED, observe(), NOW).apply
    assert batch["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "research"
    assert "suspend" not in batch["spec"]
    waiting = decide(QUEUED, observe(job=running(nodes=1, suspend=True)), NOW)
    assert told(waiting)[:2] == ("Pending", "Queued")
    assert told(waiting)[2] == (
        'Waits in the queue "research" until Kueue admits it; `kubectl describe workloads --namespace demo '
        "--selector kueue.x-k8s.io/job-uid=u` says why."
    )
    assert (waiting.apply, waiting.delete) == ((), ())
    admitted = decide(QUEUED, observe(pod("Running"), job=running(nodes=1, suspend=False)), NOW)
    assert (told(admitted)[0], admitted.apply) == ("Running", ())


def test_a_run_in_a_queue_pauses_by_leaving_it() -> None:
    paused = training_job(suspend=True, training={"queueName": "research"})
    assert decide(paused, observe(), NOW).apply == ()
    outcome = decide(paused, observe(pod("Running"), job=running(nodes=1)), NOW)
    assert [(r.kind, r.name, r.uid) for r in outcome.delete] == [("Job", "w", "u")]
    assert told(outcome)[0] == "Suspended"
    going = running(nodes=1)
    going["metadata"]["deletionTimestamp"] = "2026-03-01T12:00:00Z"
    assert decide(paused, observe(job=going), NOW).delete == ()
    again = decide(training_job({"state": "Suspended"}, training={"queueName": "research"}), observe(), NOW)
    assert [manifest["kind"] for manifest in again.apply] == ["ConfigMap", "Job"]


def test_a_pause_that_ends_while_the_old_pod_writes_its_checkpoint_is_not_training() -> None:
    old = running(nodes=1)
    old["metadata"]["deletionTimestamp"] = "2026-03-01T12:00:00Z"
    outcome = decide(QUEUED, observe(leaving(pod("Running")), job=old), NOW)
    assert told(outcome)[:2] == ("Pending", "Starting")
    assert (outcome.apply, outcome.delete) == ((), ())


def test_a_deadline_is_the_jobs_and_is_told() -> None:
    job = training_job(training={"activeDeadlineSeconds": 5400})
    *_, batch = decide(job, observe(), NOW).apply
    assert batch["spec"]["activeDeadlineSeconds"] == 5400
    observed = observe(pod("Failed", ended(143)), job=batch_job("Failed", reason="DeadlineExceeded"))
    state, reason, message = told(decide(job, observed, NOW))
    assert (state, reason) == ("Failed", "DeadlineExceeded")
    assert "(5400)" in message


def finished(**spec: Any) -> TrainingJob:
    status = {"conditions": [true("Complete")], "observedGeneration": 1, "completionTime": NOW.isoformat()}
    return training_job({"state": "Complete"} | status, **spec)


def test_a_run_that_ended_is_deleted_when_its_time_is_over() -> None:
    job = finished(ttlSecondsAfterFinished=60)
    early = decide(job, observe(), after(seconds=59))
    assert (early.delete, early.again_at) == ((), after(seconds=60))
    (gone,) = decide(job, observe(), after(seconds=60)).delete
    assert (gone.kind, gone.name, gone.uid) == ("TrainingJob", "writer-v1", job.metadata.uid)
    assert decide(finished(), observe(), after(hours=999)).delete == ()
    assert decide(training_job(ttlSecondsAfterFinished=0), observe(), after(hours=999)).delete == ()


def test_a_run_that_only_found_its_artifact_stays() -> None:
    """A GitOps tool creates what is gone again: with a time to live that would never end."""
    found = result() | {"reused": True}
    observed = observe(pod("Succeeded", ended(0, found)), job=batch_job("Complete"))
    complete = decide(training_job(ttlSecondsAfterFinished=60), observed, NOW)
    assert told(complete)[2].startswith("An earlier TrainingJob of this name and configuration left the artifact.")
    again = decide(training_job(complete.status.to_wire(), ttlSecondsAfterFinished=60), observe(), after(hours=999))
    assert (again.delete, again.again_at) == ((), None)


OVERLAY: dict[str, Any] = {
    "labels": {"team": "docs"},
    "annotations": {"a": "b"},
    "nodeSelector": {"gpu": "h200"},
    "tolerations": [{"key": "gpu", "operator": "Exists"}],
    "affinity": {"podAntiAffinity": {"x": [{"labelSelector": {}}]}},
    "priorityClassName": "high",
    "schedulerName": "gang",
    "serviceAccountName": "trainer",
    "imagePullSecrets": [{"name": "registry"}],
    "volumes": [{"name": "shm", "emptyDir": {}}],
    "volumeMounts": [{"name": "shm", "mountPath": "/dev/shm"}],
    "env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}}],
    "envFrom": [{"secretRef": {"name": "bucket"}}],
}


def test_the_overlay_reaches_the_pod_and_takes_nothing_away() -> None:
    plain, laid = (
        decide(training_job(training=training), observe(), NOW).apply[-1]["spec"]["template"]
        for training in ({}, {"pod": OVERLAY})
    )
    spec, bare = laid["spec"], plain["spec"]
    for name in ("nodeSelector", "affinity", "priorityClassName", "schedulerName", "serviceAccountName"):
        assert spec[name] == OVERLAY[name]
    assert (spec["tolerations"], spec["imagePullSecrets"]) == (OVERLAY["tolerations"], OVERLAY["imagePullSecrets"])
    assert laid["metadata"] == {
        "labels": plain["metadata"]["labels"] | {"team": "docs"},
        "annotations": {"a": "b"},
    }
    assert spec["volumes"] == [*bare["volumes"], {"name": "shm", "emptyDir": {}}]
    container, before = spec["containers"][0], bare["containers"][0]
    assert container["env"] == [*before["env"], *OVERLAY["env"]]
    assert container["envFrom"] == OVERLAY["envFrom"]
    assert [m["mountPath"] for m in container["volumeMounts"]][-1] == "/dev/shm"
    same = {name: value for name, value in before.items() if name not in ("env", "volumeMounts")}
    assert {name: container[name] for name in same} == same


def test_a_program_of_ones_own_runs_instead_of_ours() -> None:
    config, batch = decide(training_job(training=OWN, model={"architecture": None}), observe(), NOW).apply
    container = container_of(batch)
    assert (container["image"], container["command"], container["args"]) == ("own:1", ["train"], ["--fast"])
    document = json.loads(config["data"]["job.json"])
    assert document["training"]["parameters"] == {"units": "64"}
    assert document["model"] == {}


def test_a_result_without_a_loss_is_told_by_what_it_has() -> None:
    message = result() | {"metrics": {"accuracy": 0.91, "f1": 0.9}}
    observed = observe(pod("Succeeded", ended(0, message)), job=batch_job("Complete"))
    assert told(decide(training_job(training=OWN), observed, NOW))[2] == "Trained in 300 steps; accuracy 0.91, f1 0.9."


# A change of training; whether another version is to be trained for it.
CHANGES: list[tuple[dict[str, Any], bool]] = [
    ({"queueName": "research"}, False),
    ({"activeDeadlineSeconds": 3600}, False),
    ({"pod": {"nodeSelector": {"a": "b"}}}, False),
    ({"compute": {"nodes": 2}}, False),
    ({"runtime": {"image": "other:1"}}, False),
    (OWN, True),
]


@pytest.mark.parametrize(("training", "another"), CHANGES)
def test_where_it_runs_makes_no_other_model_but_another_program_does(training: dict[str, Any], another: bool) -> None:
    before, changed = language_model().spec, language_model(training=training).spec
    assert (fingerprint(before) != fingerprint(changed)) == another
    assert run_fingerprint(before) != run_fingerprint(changed)


SCHEDULER = {
    "0/2 nodes are available: 1 Insufficient cpu, 1 Insufficient nvidia.com/gpu. preemption: none": (
        "enough cpu and nvidia.com/gpu free for the pod; free some, add a node, or request less"
    ),
    "0/1 nodes are available: 1 node(s) had untolerated taint(s).": "tolerate the nodes' taints",
    "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.": "correct the node selector",
    "0/1 nodes are available: 1 Too many pods.": "room for another pod",
    "pod has unbound immediate PersistentVolumeClaims": "check the pod's volumes",
    "0/1 nodes are available: 1 node(s) were unschedulable.": "uncordon",
    "": "No node can run the pod.",
}


@pytest.mark.parametrize("message", SCHEDULER)
def test_what_the_scheduler_says_becomes_advice(message: str) -> None:
    condition = {"type": "PodScheduled", "status": "False", "message": message}
    found = trouble(PodView.of(pod("Pending", conditions=[condition])), NOW)
    assert found
    assert found.reason == "Unschedulable"
    assert SCHEDULER[message] in found.message
    assert message in found.message
