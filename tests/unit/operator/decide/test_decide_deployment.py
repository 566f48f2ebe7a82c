"""The decision on a Deployment: its children, the conditions of a rollout, scaling."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from perennial.api import ModelDeployment
from perennial.decide.deployment.decide import decide
from perennial.decide.deployment.observed import Observed
from perennial.decide.deployment.queries import queries
from perennial.decide.kube import AppsView, PodView
from perennial.decide.outcome import Manifest, Reference
from perennial_testing.specs.api_objects import (
    DEFAULTS,
    DIGEST,
    NOW,
    URI,
    after,
    cut_off,
    deployment,
    ended,
    pod,
    targeted,
    true,
)

EVICTION = true("Ready", "PodEvicted", "Pod p leaves node worker-1.") | {"status": "False"}
AVAILABLE = {"type": "Available", "status": "True"}
OVERDUE = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "overdue"}
QUOTA = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: small"}
TAMPERED = {"perennial": "failure", "reason": "TamperedArtifact", "message": "config.json is not what was trained."}
CRASHED = ({"waiting": {"reason": "CrashLoopBackOff"}}, ended(65, TAMPERED))
PULL = {"waiting": {"reason": "ErrImagePull", "message": "not found"}}
AUTOSCALING = {"minReplicas": 1, "maxReplicas": 4, "metrics": [{"name": "queue-depth", "target": 4}]}


def apps(
    ready: int = 1, replicas: int = 1, *conditions: dict[str, Any], generation: int = 1, observed: int = 1
) -> Manifest:
    """An apps/v1 Deployment made from this generation of ours, of which so many pods are ready."""
    counts = dict.fromkeys(("readyReplicas", "availableReplicas"), ready)
    return {
        "metadata": {"generation": 1, "annotations": {"perennial.dev/generation": str(generation)}},
        "spec": {"replicas": replicas, "template": {"metadata": {"labels": {"perennial.dev/version": "2"}}}},
        "status": {"observedGeneration": observed, "replicas": replicas, "updatedReplicas": replicas}
        | counts
        | {"conditions": list(conditions)},
    }


def seen(*pods: Manifest, apps: Manifest | None = None, **more: Any) -> Observed:
    return Observed(DEFAULTS, apps=AppsView.of(apps) if apps else None, pods=tuple(map(PodView.of, pods)), **more)


@dataclass(frozen=True)
class StateCase:
    """What is observed, and what the conditions say of it."""

    observed: Observed
    reason: str
    message: str = ""
    ready: bool = False
    stalled: bool = False
    deployment: ModelDeployment = field(default_factory=deployment)


STATES = {
    "A new object": StateCase(seen(), reason="RollingOut", message="0 pods updated, 0 ready"),
    "All pods are of this spec and ready": StateCase(
        seen(apps=apps(1, 1, AVAILABLE)), reason="InService", message="Version 2 is ready on 1 replica.", ready=True
    ),
    "The pods are of an older spec": StateCase(
        seen(apps=apps(1, 1, AVAILABLE)), deployment=deployment(generation=2), reason="RollingOut"
    ),
    "The controller of apps/v1 has not observed the spec": StateCase(
        seen(apps=apps(1, 1, AVAILABLE, observed=0)), reason="RollingOut"
    ),
    "One of two is ready": StateCase(
        seen(apps=apps(1, 2, AVAILABLE)),
        deployment=deployment(replicas=2),
        reason="RollingOut",
        message="2 pods updated, 1 ready",
    ),
    "No replica is desired": StateCase(
        seen(apps=apps(0, 0, AVAILABLE)),
        deployment=deployment(replicas=0),
        reason="ScaledToZero",
        message="replicas is 0",
        ready=True,
    ),
    "The claim is missing": StateCase(
        seen(missing=('PersistentVolumeClaim "models"',)),
        reason="InputMissing",
        message='PersistentVolumeClaim "models" not found in namespace "demo"',
        stalled=True,
    ),
    "The artifact was tampered with, and nothing was in service before": StateCase(
        seen(pod("Pending", *CRASHED), apps=apps(0)),
        reason="TamperedArtifact",
        message="config.json is not what was trained.",
        stalled=True,
    ),
    "The artifact was tampered with, and older pods are ready": StateCase(
        seen(pod("Pending", *CRASHED), apps=apps(1, 2, AVAILABLE)),
        reason="TamperedArtifact",
        message="The pods that are ready keep serving.",
        stalled=True,
    ),
    "Trouble of a pod of the previous version does not count": StateCase(
        seen(pod("Pending", *CRASHED, version="1"), apps=apps(0)), reason="RollingOut"
    ),
    "The image can't be pulled": StateCase(
        seen(pod("Pending", PULL), apps=apps(0)), reason="ImagePullFailed", message="can't be pulled", stalled=True
    ),
    "A container that failed once and then ended well is no trouble": StateCase(
        seen(pod("Pending", ended(0), ended(1)), apps=apps(0)), reason="RollingOut"
    ),
    "The node of the pod does not report": StateCase(
        seen(pod("Running", {"running": {}}, conditions=cut_off()), apps=apps(0)),
        reason="NodeLost",
        message="Node worker-1 of pod p has been unreachable since 2026-03-01T11:59:00Z",
    ),
    "A drain evicts the pod": StateCase(
        seen(
            pod("Running", {"running": {}}, conditions=targeted("EvictionByEvictionAPI")),
            pod("Pending"),
            apps=apps(0),
        ),
        reason="PodEvicted",
        message="Pod p leaves node worker-1: it was evicted, as by a drain.",
    ),
    "A drain evicts a pod of the previous version": StateCase(
        seen(pod("Running", {"running": {}}, version="1", conditions=targeted("EvictionByEvictionAPI")), apps=apps(0)),
        reason="RollingOut",
    ),
    "A drain evicts the pod, and no other node takes the next one": StateCase(
        seen(
            pod("Running", {"running": {}}, conditions=targeted("EvictionByEvictionAPI")),
            pod("Pending", conditions=[{"type": "PodScheduled", "status": "False", "message": "0/1 nodes"}]),
            apps=apps(0),
        ),
        reason="Unschedulable",
        message="0/1 nodes",
    ),
    "The evicted pod is gone, and the next one loads": StateCase(
        seen(pod("Running", {"running": {}}), apps=apps(0)),
        deployment=deployment({"conditions": [EVICTION]}),
        reason="PodEvicted",
        message="Pod p leaves node worker-1.",
    ),
    "The next pod is ready: the eviction is the past": StateCase(
        seen(pod("Running", {"running": {}}), apps=apps(1, 1, AVAILABLE)),
        deployment=deployment({"conditions": [EVICTION]}),
        reason="InService",
        ready=True,
    ),
    "A new spec rolls out: the eviction is the past": StateCase(
        seen(pod("Running", {"running": {}}), apps=apps(0)),
        deployment=deployment({"conditions": [EVICTION]}, generation=2),
        reason="RollingOut",
    ),
    "A pod is refused by a quota": StateCase(
        seen(apps=apps(0, 1, QUOTA)), reason="PodsRefused", message="exceeded quota: small", stalled=True
    ),
    "The rollout is overdue": StateCase(
        seen(apps=apps(0, 1, OVERDUE)), reason="ProgressDeadlineExceeded", message="overdue", stalled=True
    ),
}


@pytest.mark.parametrize("case", STATES.values(), ids=STATES)
def test_state(case: StateCase) -> None:
    status = decide(case.deployment, case.observed, NOW).status
    conditions = {c.type: c for c in status.conditions}
    assert conditions["Ready"].reason == case.reason
    assert case.message in conditions["Ready"].message
    assert (conditions["Ready"].status == "True", conditions["Stalled"].status == "True") == (case.ready, case.stalled)
    assert (conditions["Progressing"].status == "True") == (not case.ready and not case.stalled)
    assert status.observed_generation == case.deployment.metadata.generation


def test_the_version_is_reported_when_all_pods_have_it() -> None:
    before = {"version": 1}
    assert decide(deployment(before), seen(apps=apps(0)), NOW).status.version == 1
    assert decide(deployment(before), seen(apps=apps(1)), NOW).status.version == 2


def test_pods_in_service_stay_when_the_claim_disappears() -> None:
    missing = ("PersistentVolumeClaim",)
    assert decide(deployment(), seen(missing=missing), NOW).apply == ()
    assert len(decide(deployment(), seen(apps=apps(), missing=missing), NOW).apply) == 3


def test_the_children_serve_without_a_gap_and_under_the_restricted_profile() -> None:
    resources = {"limits": {"memory": "1Gi"}}
    workload, service, budget = decide(deployment(runtime={"resources": resources}), seen(), NOW).apply
    assert workload["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    template = workload["spec"]["template"]
    pod_spec = template["spec"]
    (fetch,), (serve,) = pod_spec["initContainers"], pod_spec["containers"]
    assert pod_spec["securityContext"]["runAsNonRoot"]
    assert pod_spec["automountServiceAccountToken"] is False
    for container in (fetch, serve):
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"] == resources
        assert {m["name"] for m in container["volumeMounts"]} <= {v["name"] for v in pod_spec["volumes"]}
    assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(serve)
    assert fetch["command"][3:] == ["fetch", "--uri", URI, "--digest", DIGEST, "--to", "/perennial/model"]
    assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
    assert (
        workload["spec"]["selector"]["matchLabels"]
        == service["spec"]["selector"]
        == budget["spec"]["selector"]["matchLabels"]
    )
    assert template["metadata"]["labels"]["perennial.dev/version"] == "2"
    assert (budget["spec"]["maxUnavailable"], service["spec"]["ports"][0]["port"]) == (1, 80)


def test_the_server_has_the_whole_grace_period_of_its_pod() -> None:
    pod_spec = decide(deployment(), seen(), NOW).apply[0]["spec"]["template"]["spec"]
    command = pod_spec["containers"][0]["command"]
    options = dict(word.split("=", 1) for word in command[4:])
    assert int(options["--grace-period"]) == pod_spec["terminationGracePeriodSeconds"]
    assert "lifecycle" not in pod_spec["containers"][0]  # the server itself goes on for --linger


NETWORK = {"allowFrom": [{"podSelector": {}}, {"namespaceSelector": {"matchLabels": {"team": "docs"}}}]}
POLICY = Reference("networking.k8s.io/v1", "NetworkPolicy", "demo", "writer", "u")


def test_the_network_admits_the_peers_of_the_spec_to_the_port_before_a_pod_starts() -> None:
    policy, workload, *_ = decide(deployment(network=NETWORK), seen(), NOW).apply
    assert policy["kind"] == "NetworkPolicy"
    pod_spec = workload["spec"]["template"]["spec"]
    assert policy["spec"] == {
        "podSelector": workload["spec"]["selector"],
        "policyTypes": ["Ingress"],
        "ingress": [
            {
                "ports": [{"port": pod_spec["containers"][0]["ports"][0]["containerPort"], "protocol": "TCP"}],
                "from": NETWORK["allowFrom"],
            }
        ],
    }


def test_the_policy_of_the_network_goes_with_the_field() -> None:
    observed = seen(apps=apps(), network_policies=(POLICY,))
    assert decide(deployment(network=NETWORK), observed, NOW).delete == ()
    assert decide(deployment(), observed, NOW).delete == (POLICY,)


def test_the_server_alone_reads_the_keys_of_its_clients_from_their_secret() -> None:
    keyed = deployment(runtime={"transformers": {"apiKeys": {"secretName": "keys"}}})
    pod_spec = decide(keyed, seen(), NOW).apply[0]["spec"]["template"]["spec"]
    (volume,) = (volume for volume in pod_spec["volumes"] if "secret" in volume)
    (fetch,), (serve,) = pod_spec["initContainers"], pod_spec["containers"]
    (mount,) = (mount for mount in serve["volumeMounts"] if mount["name"] == volume["name"])
    assert (volume["secret"]["secretName"], mount["readOnly"]) == ("keys", True)
    assert f"--api-keys={mount['mountPath']}" in serve["command"]
    assert volume["name"] not in [mount["name"] for mount in fetch["volumeMounts"]]


def test_a_missing_secret_with_keys_is_named() -> None:
    preparing = {"type": "PodReadyToStartContainers", "status": "False", "lastTransitionTime": "2026-03-01T11:00:00Z"}
    waiting = pod("Pending", conditions=[preparing])
    keyed = deployment(runtime={"transformers": {"apiKeys": {"secretName": "keys"}}})
    volumes = decide(keyed, seen(), NOW).apply[0]["spec"]["template"]["spec"]["volumes"]
    status = decide(keyed, seen(waiting | {"spec": {"volumes": volumes}}, apps=apps(0)), NOW).status
    ready = next(condition for condition in status.conditions if condition.type == "Ready")
    assert (ready.reason, 'does Secret "keys" exist?' in ready.message) == ("VolumesNotMounted", True)


def test_the_url_and_the_selector_are_those_of_the_service() -> None:
    outcome = decide(deployment(), seen(), NOW)
    assert outcome.status.url == "http://writer.demo.svc/v1"
    matched = outcome.apply[1]["spec"]["selector"]
    assert outcome.status.selector == ",".join(f"{key}={value}" for key, value in matched.items())


@pytest.mark.parametrize(
    ("task", "url"),
    [
        ("text-generation", "http://writer.demo.svc/v1"),
        ("translation", "http://writer.demo.svc"),
        ("sentiment-analysis", "http://writer.demo.svc"),
        ("question-answering", "http://writer.demo.svc"),
    ],
)
def test_the_url_is_what_clients_of_the_task_take(task: str, url: str) -> None:
    assert decide(deployment(model={"task": task}), seen(), NOW).status.url == url


@dataclass(frozen=True)
class ReplicasCase:
    """spec.replicas, what is changed of AUTOSCALING if it is set, the stored number; and the number of pods."""

    pods: int
    replicas: int | None = None
    autoscaling: dict[str, Any] | None = None
    stored: int | None = None


REPLICAS = {
    "One by default": ReplicasCase(pods=1),
    "As the spec says": ReplicasCase(replicas=3, pods=3),
    "Zero is a number": ReplicasCase(replicas=0, pods=0),
    "Autoscaling starts at the minimum": ReplicasCase(autoscaling={"minReplicas": 2}, pods=2),
    "Autoscaling of a new object starts at its replicas": ReplicasCase(replicas=3, autoscaling={}, pods=3),
    "Autoscaling follows the stored number": ReplicasCase(autoscaling={}, stored=3, pods=3),
    "Afterwards the replicas of the spec are not used": ReplicasCase(replicas=1, autoscaling={}, stored=3, pods=3),
    "The limits hold for the stored number, too": ReplicasCase(autoscaling={"maxReplicas": 2}, stored=3, pods=2),
}


@pytest.mark.parametrize("case", REPLICAS.values(), ids=REPLICAS)
def test_replicas(case: ReplicasCase) -> None:
    autoscaling = None if case.autoscaling is None else AUTOSCALING | case.autoscaling
    status = {"autoscaling": {"desiredReplicas": case.stored}} if case.stored else {}
    outcome = decide(deployment(status, replicas=case.replicas, autoscaling=autoscaling), seen(), NOW)
    assert outcome.apply[0]["spec"]["replicas"] == case.pods


def test_a_number_is_stored_before_it_is_acted_on() -> None:
    status = {"desiredReplicas": 1, "autoscaling": {"desiredReplicas": 1}}
    busy = seen(apps=apps(), readings={"queue-depth": 12.0})
    first = decide(deployment(status, autoscaling=AUTOSCALING), busy, NOW)
    assert (first.apply[0]["spec"]["replicas"], first.status.desired_replicas) == (1, 3)
    assert [d.reason for d in first.status.decisions] == ["ScaledUp"]
    assert [e.reason for e in first.events if e.reason == "ScaledUp"] == ["ScaledUp"]
    stored = deployment(first.status.to_wire(), autoscaling=AUTOSCALING)
    second = decide(stored, busy, after(seconds=15))
    assert second.apply[0]["spec"]["replicas"] == 3
    assert len(second.status.decisions) == 1


def test_autoscaling_that_is_turned_on_starts_from_the_current_replicas() -> None:
    status = {"desiredReplicas": 4}
    idle = seen(apps=apps(4, 4), readings={"queue-depth": 0.0})
    outcome = decide(deployment(status, autoscaling=AUTOSCALING), idle, NOW)
    assert (outcome.apply[0]["spec"]["replicas"], outcome.status.desired_replicas) == (4, 4)
    stored = deployment(outcome.status.to_wire(), autoscaling=AUTOSCALING)
    assert decide(stored, idle, after(minutes=6)).status.desired_replicas == 1


def test_missing_metrics_are_reported_in_a_condition() -> None:
    outcome = decide(deployment(autoscaling=AUTOSCALING), seen(readings={"queue-depth": "no data"}), NOW)
    (scaling,) = (c for c in outcome.status.conditions if c.type == "Scaling")
    assert (scaling.status, scaling.reason) == ("False", "MetricsMissing")
    assert "queue-depth: no data" in scaling.message
    assert outcome.again_at == after(seconds=15)


@pytest.mark.parametrize("before", [12.0, "no data"], ids=["a value", "missing"])
def test_before_the_first_reading_number_and_condition_stay_as_they_were(before: float | str) -> None:
    read = seen(apps=apps(1, 1), readings={"queue-depth": before})
    stored = decide(deployment(autoscaling=AUTOSCALING), read, NOW).status
    unread = decide(deployment(stored.to_wire(), autoscaling=AUTOSCALING), seen(apps=apps(1, 1)), after(seconds=1))
    assert unread.status == stored
    assert unread.again_at == after(seconds=16)


def test_a_new_deployment_has_no_condition_scaling_before_the_first_reading() -> None:
    outcome = decide(deployment(autoscaling=AUTOSCALING), seen(), NOW)
    assert "Scaling" not in {c.type for c in outcome.status.conditions}


def test_queue_depth_is_queried_for_the_pods_of_this_deployment_only() -> None:
    mine = {"name": "mine", "target": 2, "query": "sum(x)"}
    found = queries(deployment(autoscaling=AUTOSCALING | {"metrics": [*AUTOSCALING["metrics"], mine]}))
    assert found["mine"] == "sum(x)"
    assert 'namespace="demo"' in found["queue-depth"]
    assert 'perennial_dev_deployment="writer"' in found["queue-depth"]
    assert 'pod=~"writer-' in found["queue-depth"]
    assert queries(deployment()) == {}
