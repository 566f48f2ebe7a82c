"""The chart, rendered by Helm: permissions, monitors, and refused values."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from perennial.decide.defaults import PodDefaults
from perennial.decide.deployment.queries import DEPLOYMENT_LABEL
from perennial.decide.labels import DEPLOYMENT, MODEL_VERSION
from perennial.loop.readings.access import Access, Tls
from perennial.process.pod_defaults import pod_defaults
from perennial.process.prometheus_config import load
from perennial_testing.documentation import blocks

ROOT = Path(__file__).parents[2]

CHART = ROOT / "charts" / "perennial"


def helm(*values: str, file: Path | None = None) -> "subprocess.CompletedProcess[str]":
    command = [
        sys.executable,
        str(ROOT / "tools" / "helm"),
        "template",
        "perennial",
        str(ROOT / "charts" / "perennial"),
    ]
    flags = [flag for value in values for flag in ("--set", value)] + (["--values", str(file)] if file else [])
    return subprocess.run([*command, *flags], capture_output=True, text=True, timeout=60)


def rendered(*values: str, file: Path | None = None) -> dict[str, dict[str, Any]]:
    """The manifests by kind and name."""
    done = helm(*values, file=file)
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
        pytest.param("prometheus.url=http://u:p@prometheus:9090", id="a URL with a password"),
        pytest.param("prometheus.url=http://prometheus:9090/?a=b", id="a URL with a query"),
        pytest.param("prometheus.basicAuth.usernameFile=username", id="a user name without a password"),
        pytest.param("prometheus.headers.Authorization=Bearer", id="a credential in a ConfigMap"),
        pytest.param("log.level=verbose", id="a level that there is not"),
        pytest.param("watchNamespaces={Upper}", id="a name that no namespace has"),
    ],
)
def test_a_value_that_means_nothing_is_refused(value: str) -> None:
    done = helm(value)
    assert done.returncode != 0
    assert value.split("=")[0].split(".")[-1] in done.stderr


def test_without_access_to_prometheus_its_url_is_all() -> None:
    manifests = rendered("prometheus.url=http://prometheus:9090")
    container = manifests["Deployment perennial"]["spec"]["template"]["spec"]["containers"][0]
    assert "--prometheus-url=http://prometheus:9090" in container["args"]
    assert not [argument for argument in container["args"] if "--prometheus-config" in argument]
    assert not [name for name in manifests if name.startswith("ConfigMap")]


def test_the_access_to_prometheus_is_a_configuration_beside_the_files_of_a_secret(tmp_path: Path) -> None:
    access = (
        "prometheus.bearerTokenFile=token",
        "prometheus.tls.caFile=ca.crt",
        "prometheus.headerFiles.X-Api-Key=api-key",
        "prometheus.tenantHeader=X-Scope-OrgID",
        "prometheus.enforceNamespace=true",
    )
    manifests = rendered("prometheus.url=https://thanos:9091", "prometheus.existingSecret=prom", *access)
    template = manifests["Deployment perennial"]["spec"]["template"]
    pod, container = template["spec"], template["spec"]["containers"][0]
    (mount,) = (mount for mount in container["volumeMounts"] if mount["name"] == "prometheus")
    (volume,) = (volume for volume in pod["volumes"] if volume["name"] == "prometheus")
    *secrets, config_map = volume["projected"]["sources"]
    assert secrets == [{"secret": {"name": "prom"}}]
    config = manifests[f"ConfigMap {config_map['configMap']['name']}"]["data"]
    # What the operator reads is what the chart writes.
    for name, text in config.items():
        (tmp_path / name).write_text(text)
    flags = {flag: value for flag, _, value in (argument.partition("=") for argument in container["args"])}
    path = Path(flags["--prometheus-config"])
    assert str(path.parent) == mount["mountPath"]
    assert load(tmp_path / path.name) == Access(
        bearer_token_file=tmp_path / "token",
        tls=Tls(ca_file=tmp_path / "ca.crt"),
        header_files={"X-Api-Key": tmp_path / "api-key"},
        tenant_header="X-Scope-OrgID",
        enforce_namespace=True,
    )
    other = rendered("prometheus.url=https://thanos:9091", "prometheus.existingSecret=prom", *access[1:])
    assert other["Deployment perennial"]["spec"]["template"]["metadata"] != template["metadata"]


def test_the_values_in_the_documentation_are_configurations_of_the_operator(tmp_path: Path) -> None:
    examples = [block for block in blocks() if block.title.startswith("values.yaml")]
    assert examples
    for example in examples:
        (tmp_path / "values.yaml").write_text(example.text)
        manifests = rendered(file=tmp_path / "values.yaml")
        file = tmp_path / "config.yaml"
        if "podDefaults" in example.text:
            file.write_text(manifests["ConfigMap perennial-pod-defaults"]["data"]["defaults.yaml"])
            assert pod_defaults(str(file)) != PodDefaults(), example.place
        else:
            file.write_text(manifests["ConfigMap perennial-prometheus"]["data"]["config.yaml"])
            assert load(file) != Access(), example.place


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        pytest.param(("prometheus.tenantHeader=X-Tenant",), "prometheus.url must be set", id="no URL"),
        pytest.param(
            ("prometheus.url=https://thanos:9091", "prometheus.existingSecret=prom"),
            "prometheus.existingSecret has no effect",
            id="a Secret of which nothing is named",
        ),
    ],
)
def test_a_value_of_prometheus_without_effect_is_refused(values: tuple[str, ...], reason: str) -> None:
    done = helm(*values)
    assert done.returncode != 0
    assert reason in done.stderr


def test_each_value_of_prometheus_is_a_key_of_the_configuration() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())["prometheus"]
    keys = {field.alias for field in Access.model_fields.values()}
    assert values.keys() - {"url", "existingSecret"} == keys


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
