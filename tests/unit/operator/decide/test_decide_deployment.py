"""What follows for a Deployment: its children, how a rollout is told, and scaling."""

from typing import Any

import pytest
from given import DEFAULTS, DIGEST, NOW, URI, after, deployment, ended, pod

from perennial.api import ModelDeployment
from perennial.decide.deployment.decide import decide
from perennial.decide.deployment.observed import Observed
from perennial.decide.deployment.queries import queries
from perennial.decide.kube import AppsView, PodView
from perennial.decide.outcome import Manifest

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


# What is observed; reason, a part of the message, ready, stalled.
STATES: dict[str, tuple[ModelDeployment, Observed, str, str, bool, bool]] = {
    "A new object": (deployment(), seen(), "RollingOut", "0 pods updated, 0 ready", False, False),
    "All pods are of this spec and answer": (
        deployment(), seen(apps=apps(1, 1, AVAILABLE)), "InService", "Version 2 is ready on 1 replica.", True, False,
    ),
    "The pods are of an older spec": (
        deployment(generation=2), seen(apps=apps(1, 1, AVAILABLE)), "RollingOut", "", False, False,
    ),
    "The controller of apps/v1 has not looked yet": (
        deployment(), seen(apps=apps(1, 1, AVAILABLE, observed=0)), "RollingOut", "", False, False,
    ),
    "One of two answers": (
        deployment(replicas=2), seen(apps=apps(1, 2, AVAILABLE)), "RollingOut", "2 pods updated, 1 ready", False, False,
    ),
    "No replica wanted": (
        deployment(replicas=0), seen(apps=apps(0, 0, AVAILABLE)), "ScaledToZero", "replicas is 0", True, False,
    ),
    "The claim is missing": (
        deployment(), seen(missing=('PersistentVolumeClaim "models"',)),
        "InputMissing", 'PersistentVolumeClaim "models" not found in namespace "demo"', False, True,
    ),
    "The artifact was tampered with, and nothing was in service before": (
        deployment(), seen(pod("Pending", *CRASHED), apps=apps(0)), "TamperedArtifact",
        "config.json is not what was trained.", False, True,
    ),
    "The artifact was tampered with, and the pods before answer": (
        deployment(), seen(pod("Pending", *CRASHED), apps=apps(1, 2, AVAILABLE)), "TamperedArtifact",
        "The pods that are ready keep serving.", False, True,
    ),
    "Trouble of a pod of the version before does not count": (
        deployment(), seen(pod("Pending", *CRASHED, version="1"), apps=apps(0)), "RollingOut", "", False, False,
    ),
    "The image can't be pulled": (
        deployment(), seen(pod("Pending", PULL), apps=apps(0)), "ImagePullFailed", "can't be pulled", False, True,
    ),
    "A container that failed once and then ended well is no trouble": (
        deployment(), seen(pod("Pending", ended(0), ended(1)), apps=apps(0)), "RollingOut", "", False, False,
    ),
    "A pod is refused by a quota": (
        deployment(), seen(apps=apps(0, 1, QUOTA)), "PodsRefused", "exceeded quota: small", False, True,
    ),
    "The rollout is overdue": (
        deployment(), seen(apps=apps(0, 1, OVERDUE)), "ProgressDeadlineExceeded", "overdue", False, True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", STATES)
def test_state(case: str) -> None:
    spec, observed, reason, message, ready, stalled = STATES[case]
    status = decide(spec, observed, NOW).status
    conditions = {c.type: c for c in status.conditions}
    assert conditions["Ready"].reason == reason
    assert message in conditions["Ready"].message
    assert (conditions["Ready"].status == "True", conditions["Stalled"].status == "True") == (ready, stalled)
    assert (conditions["Progressing"].status == "True") == (not ready and not stalled)
    assert status.observed_generation == spec.metadata.generation


def test_the_version_is_told_when_all_pods_have_it() -> None:
    before = {"version": 1}
    assert decide(deployment(before), seen(apps=apps(0)), NOW).status.version == 1
    assert decide(deployment(before), seen(apps=apps(1)), NOW).status.version == 2


def test_pods_in_service_stay_when_the_claim_disappears() -> None:
    lacks = ("PersistentVolumeClaim",)
    assert decide(deployment(), seen(missing=lacks), NOW).apply == ()
    assert len(decide(deployment(), seen(apps=apps(), missing=lacks), NOW).apply) == 3


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


# spec.replicas, spec.autoscaling, the stored number; the number of pods.
REPLICAS = {
    "One by default": (None, None, None, 1),
    "What the spec says": (3, None, None, 3),
    "Zero is a number": (0, None, None, 0),
    "Autoscaling begins at the least": (None, {"minReplicas": 2}, None, 2),
    "Autoscaling follows the stored number": (None, {}, 3, 3),
    "The limits hold for the stored number, too": (None, {"maxReplicas": 2}, 3, 2),
}


@pytest.mark.parametrize("case", REPLICAS)
def test_replicas(case: str) -> None:
    replicas, scaling, stored, expected = REPLICAS[case]
    spec = {"replicas": replicas, "autoscaling": None if scaling is None else AUTOSCALING | scaling}
    status = {"autoscaling": {"desiredReplicas": stored}} if stored else {}
    outcome = decide(deployment(status, **spec), seen(), NOW)
    assert outcome.apply[0]["spec"]["replicas"] == expected


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


def test_autoscaling_that_is_switched_on_begins_with_the_replicas_that_are_there() -> None:
    status = {"desiredReplicas": 4}
    idle = seen(apps=apps(4, 4), readings={"queue-depth": 0.0})
    outcome = decide(deployment(status, autoscaling=AUTOSCALING), idle, NOW)
    assert (outcome.apply[0]["spec"]["replicas"], outcome.status.desired_replicas) == (4, 4)
    stored = deployment(outcome.status.to_wire(), autoscaling=AUTOSCALING)
    assert decide(stored, idle, after(minutes=6)).status.desired_replicas == 1


def test_missing_metrics_are_told_in_a_condition() -> None:
    outcome = decide(deployment(autoscaling=AUTOSCALING), seen(readings={"queue-depth": "no data"}), NOW)
    (scaling,) = (c for c in outcome.status.conditions if c.type == "Scaling")
    assert (scaling.status, scaling.reason) == ("False", "MetricsMissing")
    assert "queue-depth: no data" in scaling.message
    assert outcome.again_at == after(seconds=15)


def test_queue_depth_is_asked_for_the_pods_of_this_deployment_only() -> None:
    mine = {"name": "mine", "target": 2, "query": "sum(x)"}
    found = queries(deployment(autoscaling=AUTOSCALING | {"metrics": [*AUTOSCALING["metrics"], mine]}))
    assert found["mine"] == "sum(x)"
    assert 'namespace="demo"' in found["queue-depth"]
    assert 'perennial_dev_deployment="writer"' in found["queue-depth"]
    assert 'pod=~"writer-' in found["queue-depth"]
    assert queries(deployment()) == {}
