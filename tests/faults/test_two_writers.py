"""Others write what the operator writes: an admission policy, another operator. The writes stay few, and it says so."""

import socket
import time
import urllib.request
from concurrent.futures import Future
from typing import Any

import pytest

from perennial_testing.cluster.admission import policy
from perennial_testing.cluster.control_plane import Manifest
from perennial_testing.cluster.node import eventually
from perennial_testing.faults.proxy import Proxy
from perennial_testing.faults.stage import Case, Stage, title
from perennial_testing.specs.small_manifests import SMALL, manifest

OTHERS = 31  # seconds, not ours
# A write for each reconcile would be as many.
RECONCILES = 20
# In ten minutes: the creation, a repair at once, and others after 5, 15, 35, 75, 155 and 315 s.
MOST_WRITES = 8


def rewriting(namespace: str) -> Manifest:
    """The policy that rewrites a field of each apps/v1 Deployment in the namespace."""
    rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"]}
    pod = f"Object.spec.template.spec{{terminationGracePeriodSeconds: {OTHERS}}}"
    patch = f"Object{{spec: Object.spec{{template: Object.spec.template{{spec: {pod}}}}}}}"
    return {
        "matchConstraints": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "resourceRules": [rule | {"resources": ["deployments"]}],
        },
        "mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": patch}}],
    }


def rewrite(stage: Stage) -> None:
    """Puts the policy in force until the end of the stage."""
    stage.enter_context(policy(stage.control_plane.kubectl, stage.namespace, rewriting(stage.namespace)))
    probe = ("create", "deployment", "probe", "--image=probe", "--dry-run=server", "-n", stage.namespace, "-o", "yaml")
    rewritten = f"terminationGracePeriodSeconds: {OTHERS}"
    eventually(lambda: rewritten in stage.control_plane.kubectl(*probe).stdout, "the API server knows the policy")


def create(stage: Stage) -> None:
    stage.story()  # makes the claims
    document = manifest("Deployment", "one", SMALL["Deployment"])
    stage.control_plane.kubectl("create", "-n", stage.namespace, "-f", "-", stdin=document)
    eventually(lambda: workload(stage), "its apps/v1 Deployment is there")


def workload(stage: Stage) -> Any:
    return stage.control_plane.get("deployments.apps", "one", "-n", stage.namespace)


def image(stage: Stage) -> str:
    return str(workload(stage)["spec"]["template"]["spec"]["containers"][0]["image"])


def reconcile_often(stage: Stage) -> None:
    """Each change of an annotation is a reason to reconcile."""
    for number in range(RECONCILES):
        note = f"example.org/number={number}"
        stage.control_plane.kubectl("annotate", "lmd", "one", "-n", stage.namespace, "--overwrite", note)
        time.sleep(0.5)


def notes(stage: Stage) -> list[str]:
    """The messages of the Events about children that others change."""
    events = stage.control_plane.read(f"/api/v1/namespaces/{stage.namespace}/events")["items"]
    about = {"kind": "Deployment", "apiVersion": "perennial.dev/v1alpha1", "name": "one"}
    return [
        each["message"]
        for each in events
        if each["reason"] == "ChildRewritten"
        and each["type"] == "Warning"
        and about.items() <= each["involvedObject"].items()
    ]


def writes_of_workload(proxy: Proxy) -> int:
    return sum("/apis/apps/v1/" in request.path for request in proxy.writes)


def has_status(stage: Stage) -> bool:
    status = stage.control_plane.get("lmd", "one", "-n", stage.namespace).get("status", {})
    return bool(status.get("conditions"))


def a_policy_rewrites_a_child(stage: Stage) -> None:
    rewrite(stage)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    proxy = stage.proxy()
    operator = stage.operator(proxy.control_plane, "--metrics-port", str(port)).start()
    create(stage)
    eventually(lambda: notes(stage), "an Event says so")
    reconcile_often(stage)
    assert writes_of_workload(proxy) <= MOST_WRITES
    field = ".spec.template.spec.terminationGracePeriodSeconds"
    assert f"Deployment one: {field} is changed after each write by an admission webhook or policy." in notes(stage)[0]
    assert "ChildRewritten" in operator.log
    assert has_status(stage)
    shown = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
    (repairs,) = (line for line in shown.splitlines() if line.startswith("perennial_child_repairs{"))
    assert f'kind="Deployment",name="one",namespace="{stage.namespace}"' in repairs
    assert 1 < float(repairs.rpartition(" ")[2]) < MOST_WRITES


def an_edit_by_hand_is_undone_at_once_and_named_if_repeated(stage: Stage) -> None:
    operator = stage.operator(stage.control_plane).start()
    create(stage)
    ours = image(stage)
    edit = ("set", "image", "deployment.apps/one", "*=other:1", "-n", stage.namespace, "--field-manager=by-hand")
    for _ in range(2):
        stage.control_plane.kubectl(*edit)
        eventually(lambda: image(stage) == ours, "the edit is undone")
    expected = (
        '.spec.template.spec.containers[name="serve"].image is changed after each write by the field manager by-hand'
    )
    eventually(lambda: any(expected in note for note in notes(stage)), "an Event names field and manager")
    assert operator.log.count("changed .spec.template.spec.containers") == 2


def releases(stage: Stage, *leases: str) -> list[tuple[Proxy, Any]]:
    """Two operators with different default images, each behind a proxy; the first one leads."""
    started = []
    for name, lease in zip(("first", "second"), leases, strict=True):
        proxy = stage.proxy()
        flags = ("--lease-namespace", stage.namespace, "--lease-name", lease, "--release", f"{name}/perennial")
        operator = stage.operator(proxy.control_plane, *flags, "--serving-image", f"{name}:1").start()
        if not started:
            operator.wait_until_it_leads()
        started.append((proxy, operator))
    return started


def two_releases_share_a_lease(stage: Stage) -> None:
    """The second one says who works, and writes nothing."""
    (_, first), (proxy, second) = releases(stage, "shared", "shared")
    told = f"the Lease {stage.namespace}/shared is held by first/perennial/"
    eventually(lambda: told in second.log, "the second one says who works")
    create(stage)
    reconcile_often(stage)
    assert image(stage) == "first:1"
    assert workload(stage)["metadata"]["generation"] == 1
    assert proxy.writes == []
    assert "a replica of another release, first/perennial: this one keeps off all objects" in second.log
    assert second.log.count(told) == 1
    assert "changed " not in first.log


def two_releases_with_a_lease_each(stage: Stage) -> None:
    """As with namespaces that two releases watch: the fight is told, and slow."""
    (one, _), (other, _) = releases(stage, "first", "second")
    create(stage)
    eventually(lambda: notes(stage), "an Event says so")
    reconcile_often(stage)
    assert writes_of_workload(one) + writes_of_workload(other) <= 2 * MOST_WRITES
    assert (
        'containers[name="serve"].image is changed after each write by another operator of Perennial' in notes(stage)[0]
    )


CASES: list[Case] = [
    a_policy_rewrites_a_child,
    an_edit_by_hand_is_undone_at_once_and_named_if_repeated,
    two_releases_share_a_lease,
    two_releases_with_a_lease_each,
]
AT_ONCE = len(CASES)


@pytest.mark.parametrize("case", CASES, ids=title)
def test_two_writers(case: Case, outcomes: dict[Case, "Future[None]"]) -> None:
    outcomes[case].result(240)
