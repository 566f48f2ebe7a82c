"""What the chart's admission policies refuse: pods that are more than a training, and an operator that strays."""

import uuid
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from perennial_testing.chart import manifests
from perennial_testing.cluster.control_plane import ControlPlane, Manifest
from perennial_testing.cluster.node import eventually
from perennial_testing.specs.small_manifests import SMALL, manifest, merged

OPERATOR = "system:serviceaccount:default:perennial"
OWNER = {"apiVersion": "perennial.dev/v1alpha1", "kind": "TrainingJob", "name": "x", "uid": "u"}
TOKEN = {"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
SECRET = {"name": "X", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}
# By what somebody might do who may create our objects but no pods: the spec of a LanguageModel.
WAYS_IN: dict[str, Manifest] = {
    "the disk of the node": {"training": {"pod": {"volumes": [{"name": "root", "hostPath": {"path": "/"}}]}}},
    "a token": {"training": {"pod": {"volumes": [TOKEN]}}},
    "a Secret as a variable": {"training": {"pod": {"env": [SECRET]}}},
    "all of a Secret": {"deployment": {"pod": {"envFrom": [{"secretRef": {"name": "db"}}]}}},
    "a Secret as a volume": {"deployment": {"pod": {"volumes": [{"name": "s", "secret": {"secretName": "db"}}]}}},
    "another account": {"training": {"pod": {"serviceAccountName": "admin-bot"}}},
    "another image to train": {"training": {"runtime": {"image": "own:1"}}},
    "another image to serve": {"deployment": {"runtime": {"image": "own:1"}}},
    "a program": {"training": {"runtime": {"image": "own:1", "command": ["sh"]}}, "model": {"architecture": None}},
    "a file of the pod as data": {"data": {"train": [{"uri": "file:///perennial/secrets/db/password"}]}},
    "a file of the pod as held-out data": {"data": {"validation": {"uri": "file:///proc/self/environ"}}},
}
# Not even for those who may run pods.
FOR_NOBODY = ("the disk of the node", "a token")


@pytest.fixture(scope="module")
def policies(control_plane: ControlPlane) -> Iterator[None]:
    """The chart's policies and roles."""
    kinds = ("ClusterRole", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
    documents = [each for each in manifests() if each["kind"] in kinds]
    control_plane.kubectl("apply", "-f", "-", stdin=documents)
    yield
    control_plane.kubectl("delete", "-f", "-", stdin=documents)


@pytest.fixture(scope="module")
def users(control_plane: ControlPlane, policies: None) -> Iterator[str]:
    """A namespace with a data scientist (`ds`), an editor (`ed`), and the operator, once the policies are in force."""
    namespace = f"t-{uuid.uuid4().hex[:8]}"
    control_plane.kubectl("create", "namespace", namespace)
    roles = {"ds": "perennial-data-scientist", "ed": "edit", OPERATOR: "perennial"}
    for number, (user, role) in enumerate(roles.items()):
        binding = ("create", "rolebinding", f"r{number}", f"--clusterrole={role}", f"--user={user}")
        control_plane.kubectl(*binding, "-n", namespace)
    bad = language_model(WAYS_IN["the disk of the node"])
    eventually(lambda: "policy.volumes" in asked(control_plane, namespace, "ed", bad), "the policy of users", 60)
    stray = config_map(owned=False)
    eventually(lambda: "owns" in asked(control_plane, namespace, OPERATOR, stray), "the policy of the operator", 60)
    yield namespace
    control_plane.kubectl("delete", "namespace", namespace, "--wait=false")


def language_model(more: Manifest) -> Manifest:
    spec = merged(deepcopy(SMALL["LanguageModel"]), more)
    return manifest("LanguageModel", "probe", spec)


def config_map(*, owned: bool) -> Manifest:
    at: dict[str, Any] = {"name": "probe"} | ({"ownerReferences": [OWNER]} if owned else {})
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": at}


def job(**pod: Any) -> Manifest:
    container = {"name": "c", "image": "i", "securityContext": pod.pop("security", {})}
    spec = {"restartPolicy": "Never", "containers": [container], "automountServiceAccountToken": False} | pod
    at = {"name": "probe", "ownerReferences": [OWNER]}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": at, "spec": {"template": {"spec": spec}}}


def asked(control_plane: ControlPlane, namespace: str, user: str, document: Manifest) -> str:
    """Why the API server refuses to create it for the user; empty if it does not."""
    dry = ("create", "--dry-run=server", "--as", user, "-n", namespace, "-f", "-")
    return control_plane.kubectl(*dry, stdin=document, check=False).stderr.strip()


def test_a_data_scientist_trains_and_serves(control_plane: ControlPlane, users: str) -> None:
    assert asked(control_plane, users, "ds", language_model({})) == ""
    for kind in ("TrainingJob", "Deployment"):
        assert asked(control_plane, users, "ds", manifest(kind, "probe", deepcopy(SMALL[kind]))) == ""


@pytest.mark.parametrize("way", WAYS_IN)
def test_a_data_scientist_gets_at_nothing_else(control_plane: ControlPlane, users: str, way: str) -> None:
    document = language_model(WAYS_IN[way])
    assert "podoverlays" in asked(control_plane, users, "ds", document)
    refusal = asked(control_plane, users, "ed", document)
    assert ("must" in refusal) if way in FOR_NOBODY else refusal == ""


def test_the_other_kinds_are_no_way_in_either(control_plane: ControlPlane, users: str) -> None:
    root = {"pod": {"volumes": [{"name": "root", "hostPath": {"path": "/"}}]}}
    train = manifest("TrainingJob", "probe", merged(deepcopy(SMALL["TrainingJob"]), {"training": root}))
    serve = manifest("Deployment", "probe", merged(deepcopy(SMALL["Deployment"]), root))
    image = manifest("Deployment", "probe", merged(deepcopy(SMALL["Deployment"]), {"runtime": {"image": "own:1"}}))
    for document in (train, serve, image):
        assert "podoverlays" in asked(control_plane, users, "ds", document)


@pytest.mark.parametrize(
    "resource", ["secrets", "pods", "pods/exec", "pods/log", "jobs", "configmaps", "deployments.apps"]
)
def test_the_role_of_a_data_scientist_reads_and_writes_nothing_else(
    control_plane: ControlPlane, users: str, resource: str
) -> None:
    for verb in ("get", "create", "patch"):
        question = ("auth", "can-i", verb, resource, "--as", "ds", "-n", users)
        assert control_plane.kubectl(*question, check=False).stdout.strip() == "no"


def test_what_is_there_already_can_be_edited_but_not_widened(control_plane: ControlPlane, users: str) -> None:
    labels = {"training": {"pod": {"labels": {"team": "a"}}}}
    control_plane.kubectl("create", "--as", "ed", "-n", users, "-f", "-", stdin=language_model(labels))
    dry = ("patch", "lm/probe", "--dry-run=server", "--as", "ds", "-n", users, "--type=merge", "-p")
    control_plane.kubectl(*dry, '{"spec":{"versionHistoryLimit":3}}')
    widened = control_plane.kubectl(
        *dry, '{"spec":{"training":{"pod":{"serviceAccountName":"admin-bot"}}}}', check=False
    )
    assert "podoverlays" in widened.stderr
    control_plane.kubectl("delete", "lm/probe", "-n", users)


STRAYING = {
    "what nobody of ours owns": config_map(owned=False),
    "a disk of the node": job(volumes=[{"name": "root", "hostPath": {"path": "/"}}]),
    "a token": job(automountServiceAccountToken=True),
    "the network of the node": job(hostNetwork=True),
    "a privileged container": job(security={"privileged": True}),
}


@pytest.mark.parametrize("what", STRAYING)
def test_the_operator_is_refused(control_plane: ControlPlane, users: str, what: str) -> None:
    assert "the operator must" in asked(control_plane, users, OPERATOR, STRAYING[what])


def test_the_operator_keeps_to_what_ours_own(control_plane: ControlPlane, users: str) -> None:
    assert asked(control_plane, users, OPERATOR, config_map(owned=True)) == ""
    assert asked(control_plane, users, OPERATOR, job()) == ""
    control_plane.kubectl("create", "configmap", "foreign", "-n", users)
    for command in (("delete", "configmap/foreign"), ("label", "configmap/foreign", "a=b")):
        done = control_plane.kubectl(*command, "--dry-run=server", "--as", OPERATOR, "-n", users, check=False)
        assert "must only write" in done.stderr


@pytest.mark.parametrize(
    ("labels", "refusal"), [({"perennial.dev/owner-kind": "TrainingJob"}, ""), ({}, "must only write what an object")]
)
def test_the_operator_adopts_what_was_made_for_an_object_of_ours(
    control_plane: ControlPlane, users: str, labels: dict[str, str], refusal: str
) -> None:
    name = f"orphan-{len(labels)}"
    at = {"name": name, "namespace": users, "labels": labels}
    orphan = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": at}
    control_plane.kubectl("create", "-f", "-", stdin=orphan)
    adopted = orphan | {"metadata": at | {"ownerReferences": [OWNER]}}
    apply = ("apply", "--server-side", "--dry-run=server", "--as", OPERATOR, "-f", "-")
    answer = control_plane.kubectl(*apply, stdin=adopted, check=False).stderr
    assert refusal in answer if refusal else not answer
