"""The chart, rendered by Helm: each value, permissions, monitors, CRDs, and refused values."""

import base64
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml

from chart_readme import described, readme
from perennial.api import KINDS
from perennial.api.crd import definition
from perennial.decide.deployment.queries import DEPLOYMENT_LABEL
from perennial.decide.labels import DEPLOYMENT, MODEL_VERSION
from perennial.process.settings import parse
from perennial_testing import chart
from perennial_testing.chart import CHART, OTHERS, at, helm, manifests, together

VALUES = (CHART / "values.yaml").read_text()
METADATA: dict[str, Any] = yaml.safe_load((CHART / "Chart.yaml").read_text())


rendered = cache(chart.rendered)


def lease(*values: str) -> tuple[str, str]:
    """Namespace and name of the Lease; the roles let the operator use this one and no other."""
    found = rendered(*values)
    flags = found["Deployment perennial"]["spec"]["template"]["spec"]["containers"][0]["args"]
    settings = parse(flags, {})
    role = found["Role perennial-lease"]
    assert role["metadata"]["namespace"] == settings.lease_namespace
    rules = [rule for name, each in found.items() if "Role " in name for rule in each.get("rules", ())]
    names = [rule["resourceNames"] for rule in rules if "leases" in rule["resources"] and "create" not in rule["verbs"]]
    assert names == [[settings.lease_name]] * len(names)
    assert len(names) >= 2
    return settings.lease_namespace, settings.lease_name


def pod_of(*values: str) -> Any:
    """The operator's pod."""
    return rendered(*values)["Deployment perennial"]["spec"]["template"]["spec"]


def leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every scalar, and every empty map and list, by its path."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not inner:
        yield path, value
    for key, each in inner:
        yield from leaves(each, f"{path}/{key}")


@cache
def places(values: str) -> dict[str, Any]:
    """What the manifests say with these values, as JSON."""
    documents = manifests(values=json.loads(values))
    return dict(leaf for each in documents for leaf in leaves(each, f"{each['kind']}/{each['metadata']['name']}"))


def test_the_values_that_are_tried_are_all_that_there_are() -> None:
    assert [path for path, default, _ in described(VALUES) if default] == list(OTHERS)


@pytest.mark.parametrize("path", OTHERS)
def test_a_value_shows_where_it_should(path: str) -> None:
    other = OTHERS[path]
    without = together(
        at("crds.enabled", path.startswith("crds.")), other.needs
    )  # few concern the CRDs, which are long
    before, after = (places(json.dumps(values)) for values in (without, together(without, at(path, other.value))))
    assert before.get(other.place) != after.get(other.place)
    assert after.get(other.place) == other.shown


def test_the_readme_has_every_value_with_its_description() -> None:
    page = (CHART / "README.md").read_text()
    assert page == readme(page, VALUES), "stale; run `make chart`"
    assert [path for path, default, comment in described(VALUES) if default and not comment] == []


def test_the_crds_are_those_of_the_api_and_outlive_the_release() -> None:
    documents = [
        each for each in manifests("--set", "commonLabels.team=a") if each["kind"] == "CustomResourceDefinition"
    ]
    annotations = [each["metadata"].pop("annotations") for each in documents]
    labels = [each["metadata"].pop("labels") for each in documents]
    assert annotations == [{"helm.sh/resource-policy": "keep"}] * len(KINDS)
    assert {(each["app.kubernetes.io/instance"], each["team"]) for each in labels} == {("perennial", "a")}
    by_name = {each["metadata"]["name"]: each for each in documents}
    assert by_name == {each["metadata"]["name"]: each for each in map(definition, KINDS)}


def test_the_chart_tells_artifact_hub_of_the_kinds() -> None:
    told = yaml.safe_load(METADATA["annotations"]["artifacthub.io/crds"])
    crds = [definition(kind) for kind in KINDS]
    names = [
        (crd["spec"]["names"]["kind"], crd["spec"]["versions"][0]["name"], crd["metadata"]["name"]) for crd in crds
    ]
    assert sorted((each["kind"], each["version"], each["name"]) for each in told) == sorted(names)


def test_the_icon_is_the_one_beside_it() -> None:
    head, _, data = METADATA["icon"].partition(",")
    assert head == "data:image/svg+xml;base64"
    assert base64.b64decode(data) == (CHART / "icon.svg").read_bytes()


def test_helm_finds_no_mistake() -> None:
    done = helm("lint", "--strict")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[" not in done.stdout


def test_common_labels_are_on_every_object_and_no_selector() -> None:
    for name, manifest in rendered("commonLabels.team=a", "replicas=2", "networkPolicy.enabled=true").items():
        assert manifest["metadata"]["labels"]["team"] == "a", name
        assert "team" not in str(manifest.get("spec", {}).get("selector")), name


def test_a_security_context_can_leave_its_ids_to_the_cluster() -> None:
    """As OpenShift wants it; `null` in values deletes the key."""
    ids = ("runAsUser", "runAsGroup", "fsGroup")
    (deployment,) = (
        each for each in manifests(values={"podSecurityContext": dict.fromkeys(ids)}) if each["kind"] == "Deployment"
    )
    for context in (
        deployment["spec"]["template"]["spec"]["securityContext"],
        pod_of(*(f"podSecurityContext.{each}=null" for each in ids))["securityContext"],
    ):
        assert context == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert "securityContext" not in pod_of("podSecurityContext=null")
    assert "securityContext" not in pod_of("securityContext=null")["containers"][0]


def test_the_pod_of_helm_test_is_restricted_and_no_pod_of_the_service() -> None:
    documents = rendered("networkPolicy.enabled=true")
    test, service = documents["Pod perennial-test"], documents["Service perennial-metrics"]
    assert not service["spec"]["selector"].items() <= test["metadata"]["labels"].items()
    (rule,) = documents["NetworkPolicy perennial"]["spec"]["ingress"]
    assert rule["from"][0]["podSelector"]["matchLabels"].items() <= test["metadata"]["labels"].items()
    operator = documents["Deployment perennial"]["spec"]["template"]["spec"]
    assert test["spec"]["securityContext"] == operator["securityContext"]
    assert test["spec"]["containers"][0]["securityContext"] == operator["containers"][0]["securityContext"]
    assert "http://perennial-metrics:8080/readyz" in test["spec"]["containers"][0]["args"][0]


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
    ("value", "named"),
    [
        pytest.param("replica=2", "replica", id="an unknown key"),
        pytest.param("replicas=many", "replicas", id="a wrong type"),
        pytest.param("prometheus.url=prometheus:9090", "url", id="a URL without a scheme"),
        pytest.param("prometheus.url=http://u:p@prometheus:9090", "url", id="a URL with a password"),
        pytest.param("prometheus.url=http://prometheus:9090/?a=b", "url", id="a URL with a query"),
        pytest.param("prometheus.basicAuth.usernameFile=username", "basicAuth", id="a user name without a password"),
        pytest.param("prometheus.headers.Authorization=Bearer", "Authorization", id="a credential in a ConfigMap"),
        pytest.param("leaderElection.name=Upper", "name", id="a name that no Lease has"),
        pytest.param("log.level=verbose", "level", id="a level that there is not"),
        pytest.param("watchNamespaces={Upper}", "watchNamespaces", id="a name that no namespace has"),
        pytest.param("fullnameOverride=Big", "fullnameOverride", id="a name that no object has"),
        pytest.param("podLabels.helm\\.sh/chart=x", "helm.sh/chart", id="a label that the chart sets"),
        pytest.param("podDisruptionBudget.maxUnavailable=0", "maxUnavailable", id="a budget that blocks every drain"),
        pytest.param("env[0].value=x", "/env/0", id="a variable without a name"),
        pytest.param("networkPolicy.from[0].pods=x", "/networkPolicy/from/0", id="a peer that is none"),
    ],
)
def test_a_value_that_means_nothing_is_refused(value: str, named: str) -> None:
    done = helm("template", "--set", value)
    assert done.returncode != 0
    assert named in done.stderr


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
