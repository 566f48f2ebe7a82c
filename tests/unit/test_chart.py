"""The chart, rendered by Helm: permissions, monitors, and refused values."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from perennial.decide.deployment.queries import DEPLOYMENT_LABEL
from perennial.decide.labels import DEPLOYMENT, MODEL_VERSION
from perennial.process.settings import parse

ROOT = Path(__file__).parents[2]

CHART = ROOT / "charts" / "perennial"


def helm(*values: str) -> "subprocess.CompletedProcess[str]":
    command = [
        sys.executable,
        str(ROOT / "tools" / "helm"),
        "template",
        "perennial",
        str(ROOT / "charts" / "perennial"),
    ]
    flags = [flag for value in values for flag in ("--set", value)]
    return subprocess.run([*command, *flags], capture_output=True, text=True, timeout=60)


def lease(*values: str) -> tuple[str, str]:
    """Namespace and name of the Lease; the roles let the operator use this one and no other."""
    manifests = rendered(*values)
    flags = manifests["Deployment perennial"]["spec"]["template"]["spec"]["containers"][0]["args"]
    settings = parse(flags, {})
    role = manifests["Role perennial-lease"]
    assert role["metadata"]["namespace"] == settings.lease_namespace
    rules = [rule for name, each in manifests.items() if "Role " in name for rule in each.get("rules", ())]
    names = [rule["resourceNames"] for rule in rules if "leases" in rule["resources"] and "create" not in rule["verbs"]]
    assert names == [[settings.lease_name]] * len(names)
    assert len(names) >= 2
    return settings.lease_namespace, settings.lease_name


def rendered(*values: str) -> dict[str, dict[str, Any]]:
    """The manifests by kind and name."""
    done = helm(*values)
    assert done.returncode == 0, done.stderr
    documents = [document for document in yaml.safe_load_all(done.stdout) if document]
    return {f"{document['kind']} {document['metadata']['name']}": document for document in documents}


def test_by_default_it_serves_the_whole_cluster_and_needs_no_prometheus_operator() -> None:
    kinds = {name.partition(" ")[0] for name in rendered()}
    assert {"Deployment", "ServiceAccount", "ClusterRole", "ClusterRoleBinding"} <= kinds
    assert not kinds & {"ServiceMonitor", "PodMonitor"}


def test_with_namespaces_it_has_no_permission_beyond_them() -> None:
    manifests = rendered("watchNamespaces={a,b}")
    assert not any(name.startswith("ClusterRole") for name in manifests)
    namespaces = {m["metadata"]["namespace"] for name, m in manifests.items() if name.startswith("Role ")}
    assert namespaces <= {"a", "b", "default"}
    arguments = manifests["Deployment perennial"]["spec"]["template"]["spec"]["containers"][0]["args"]
    assert [argument for argument in arguments if argument.startswith("--namespace=")] == [
        "--namespace=a",
        "--namespace=b",
    ]


def test_all_releases_that_watch_the_whole_cluster_share_the_lease_that_is_the_default_of_the_operator() -> None:
    default = parse([], {})
    assert lease() == (default.lease_namespace, default.lease_name)
    flags = rendered()["Deployment perennial"]["spec"]["template"]["spec"]["containers"][0]["args"]
    assert "--release=default/perennial" in flags


def test_a_release_that_watches_namespaces_has_a_lease_of_its_own_where_it_is() -> None:
    assert lease("watchNamespaces={a,b}") == ("default", "perennial")


def test_the_lease_can_be_chosen() -> None:
    assert lease("leaderElection.namespace=shared", "leaderElection.name=one") == ("shared", "one")


def test_no_role_reads_secrets_or_has_a_wildcard() -> None:
    rules = [rule for name, m in rendered().items() if "Role " in name for rule in m["rules"]]
    assert rules
    for rule in rules:
        words = {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
        assert not words & {"*", "secrets"}


def test_the_pod_monitor_keeps_the_labels_that_queries_select_by() -> None:
    (monitor,) = (m for name, m in rendered("monitoring.podMonitor=true").items() if name.startswith("PodMonitor"))
    labels = monitor["spec"]["podTargetLabels"]
    assert set(labels) == {DEPLOYMENT, MODEL_VERSION}
    assert DEPLOYMENT_LABEL in {
        re.sub(r"[^a-zA-Z0-9_]", "_", label) for label in labels
    }  # as the operator of Prometheus does


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("replica=2", id="an unknown key"),
        pytest.param("replicas=many", id="a wrong type"),
        pytest.param("prometheus.url=prometheus:9090", id="a URL without a scheme"),
        pytest.param("log.level=verbose", id="a level that there is not"),
        pytest.param("watchNamespaces={Upper}", id="a name that no namespace has"),
        pytest.param("leaderElection.name=Upper", id="a name that no Lease has"),
    ],
)
def test_a_value_that_means_nothing_is_refused(value: str) -> None:
    done = helm(value)
    assert done.returncode != 0
    assert value.split("=")[0].split(".")[-1] in done.stderr


@pytest.mark.parametrize("values", [("rbac.aggregate=false",), ("watchNamespaces={a}",), ("rbac.create=false",)])
def test_the_roles_of_users_can_be_left_out(values: tuple[str, ...]) -> None:
    names = {"ClusterRole perennial-view", "ClusterRole perennial-edit"}
    assert names <= rendered().keys()
    assert not names & rendered(*values).keys()


def test_two_replicas_spread_over_the_nodes_and_a_drain_takes_one_at_a_time() -> None:
    budget = "PodDisruptionBudget perennial"
    one, two = rendered(), rendered("replicas=2")
    assert budget not in one
    assert "topologySpreadConstraints" not in one["Deployment perennial"]["spec"]["template"]["spec"]
    pod = two["Deployment perennial"]["spec"]["template"]
    (constraint,) = pod["spec"]["topologySpreadConstraints"]
    assert (constraint["topologyKey"], constraint["whenUnsatisfiable"]) == ("kubernetes.io/hostname", "ScheduleAnyway")
    for selector in (constraint["labelSelector"], two[budget]["spec"]["selector"]):
        assert selector["matchLabels"]
        assert selector["matchLabels"].items() <= pod["metadata"]["labels"].items()
