"""The chart as Helm renders it, and another value for each of its values."""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
CHART = ROOT / "charts" / "perennial"
Manifest = dict[str, Any]
Values = dict[str, Any]


def helm(command: str, *flags: str, values: Values | None = None) -> "subprocess.CompletedProcess[str]":
    """`helm COMMAND` on the chart, with these values."""
    name = [] if command == "lint" else ["perennial"]
    return run_helm(command, *name, str(CHART), *flags, "--values", "-", stdin=json.dumps(values or {}))


def run_helm(*words: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    line = [sys.executable, str(ROOT / "tools/helm"), *words]
    return subprocess.run(line, input=stdin, capture_output=True, text=True, timeout=60)


def manifests(*flags: str, values: Values | None = None) -> list[Manifest]:
    """What `helm template` prints."""
    done = helm("template", *flags, values=values)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.load_all(done.stdout, yaml.CSafeLoader) if document]


def rendered(*settings: str, values: Values | None = None) -> dict[str, Manifest]:
    """The manifests by kind and name, without the CRDs; the settings are those of `--set`."""
    flags = [flag for setting in ("crds.enabled=false", *settings) for flag in ("--set", setting)]
    return {f"{each['kind']} {each['metadata']['name']}": each for each in manifests(*flags, values=values)}


def at(path: str, value: Any) -> Values:
    """The values that have this one at a path such as `image.tag`."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return dict(value)


def together(*several: Values) -> Values:
    """All of these values; the later take precedence."""
    merged: Values = {}
    for values in several:
        for key, value in values.items():
            both = isinstance(value, dict) and isinstance(merged.get(key), dict)
            merged[key] = together(merged[key], value) if both else value
    return merged


@dataclass(frozen=True)
class Other:
    """Another value than the default, and where the manifests show it: `KIND/NAME/field/…`."""

    value: Any
    place: str
    shown: Any  # None: what is at the place goes, be it a field or an object
    needs: Values = field(default_factory=dict)


_DEPLOYMENT = "Deployment/perennial"
_POD = f"{_DEPLOYMENT}/spec/template/spec"
_OPERATOR = f"{_POD}/containers/0"
_BUDGET = "PodDisruptionBudget/perennial"
_MONITOR = "ServiceMonitor/perennial"
_NETWORK = "NetworkPolicy/perennial"
_TWO = {"replicas": 2}
_ASKED = {"prometheus": {"url": "https://p:9090"}}
_ASKING = "ConfigMap/perennial-prometheus/data/config.yaml"
_VALIDATIONS = "ValidatingAdmissionPolicy/perennial-users/spec/validations"
_NAMED: list[Values] = [{"name": "ca", "configMap": {"name": "own-ca"}}]
_SELECTED = {"labelSelector": {"matchLabels": {"app.kubernetes.io/instance": "perennial"}}}
_SPREAD = {"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"} | _SELECTED

OTHERS = {
    "nameOverride": Other("lm", "Deployment/perennial-lm/kind", "Deployment"),
    "fullnameOverride": Other("keeper", "ClusterRole/keeper-view/kind", "ClusterRole"),
    "commonLabels": Other({"team": "a"}, "Service/perennial-metrics/metadata/labels/team", "a"),
    "crds.enabled": Other(False, "CustomResourceDefinition/languagemodels.perennial.dev/kind", None),
    "crds.keep": Other(
        False,
        "CustomResourceDefinition/trainingjobs.perennial.dev/metadata/annotations/helm.sh/resource-policy",
        None,
    ),
    "image.registry": Other("r.example/a", f"{_OPERATOR}/image", "r.example/a/operator:dev"),
    "image.tag": Other("2", f"{_OPERATOR}/image", "localhost/perennial/operator:2"),
    "image.operator": Other("r.example/o@sha256:ab", f"{_OPERATOR}/image", "r.example/o@sha256:ab"),
    "image.training": Other("r.example/t:1", f"{_OPERATOR}/args/0", "--training-image=r.example/t:1"),
    "image.serving": Other("r.example/s:1", f"{_OPERATOR}/args/1", "--serving-image=r.example/s:1"),
    "image.pullPolicy": Other("Always", f"{_OPERATOR}/imagePullPolicy", "Always"),
    "image.pullSecrets": Other([{"name": "mine"}], f"{_POD}/imagePullSecrets/0/name", "mine"),
    "watchNamespaces": Other(["a"], "Role/perennial/metadata/namespace", "a"),
    "prometheus.url": Other("http://p:9090", f"{_OPERATOR}/args/2", "--prometheus-url=http://p:9090"),
    "prometheus.enforceNamespace": Other(True, _ASKING, "enforceNamespace: true\n", needs=_ASKED),
    "prometheus.tenantHeader": Other("X-Scope-OrgID", _ASKING, "tenantHeader: X-Scope-OrgID\n", needs=_ASKED),
    "prometheus.tenantParameter": Other("namespace", _ASKING, "tenantParameter: namespace\n", needs=_ASKED),
    "prometheus.existingSecret": Other(
        "prom",
        f"{_POD}/volumes/1/projected/sources/0/secret/name",
        "prom",
        needs={"prometheus": {"url": "https://p:9090", "bearerTokenFile": "token"}},
    ),
    "prometheus.bearerTokenFile": Other("/token", _ASKING, "bearerTokenFile: /token\n", needs=_ASKED),
    "prometheus.basicAuth": Other(
        {"usernameFile": "/u", "passwordFile": "/p"},
        _ASKING,
        "basicAuth:\n  passwordFile: /p\n  usernameFile: /u\n",
        needs=_ASKED,
    ),
    "prometheus.tls": Other({"caFile": "/ca"}, _ASKING, "tls:\n  caFile: /ca\n", needs=_ASKED),
    "prometheus.headers": Other({"X-A": "b"}, _ASKING, "headers:\n  X-A: b\n", needs=_ASKED),
    "prometheus.headerFiles": Other({"X-A": "/b"}, _ASKING, "headerFiles:\n  X-A: /b\n", needs=_ASKED),
    "prometheus.parameters": Other({"dedup": "true"}, _ASKING, 'parameters:\n  dedup: "true"\n', needs=_ASKED),
    "leaderElection.namespace": Other("kube-public", f"{_OPERATOR}/args/2", "--lease-namespace=kube-public"),
    "leaderElection.name": Other("keeper", f"{_OPERATOR}/args/3", "--lease-name=keeper"),
    "replicas": Other(3, f"{_DEPLOYMENT}/spec/replicas", 3),
    "workers": Other(7, f"{_OPERATOR}/args/6", "--workers=7"),
    "resyncSeconds": Other(77, f"{_OPERATOR}/args/7", "--resync-seconds=77"),
    "servingRollout.policy": Other(
        "NewVersionsOnly", f"{_OPERATOR}/args/8", "--serving-rollout-policy=NewVersionsOnly"
    ),
    "servingRollout.maxConcurrent": Other(2, f"{_OPERATOR}/args/9", "--serving-rollout-max-concurrent=2"),
    "log.level": Other("debug", f"{_OPERATOR}/args/10", "--log-level=debug"),
    "log.format": Other("text", f"{_OPERATOR}/args/11", "--log-format=text"),
    "serviceAccount.create": Other(False, "ServiceAccount/mine/kind", None, needs={"serviceAccount": {"name": "mine"}}),
    "serviceAccount.name": Other("mine", f"{_POD}/serviceAccountName", "mine"),
    "serviceAccount.annotations": Other(
        {"role": "keeper"}, "ServiceAccount/perennial/metadata/annotations/role", "keeper"
    ),
    "rbac.create": Other(False, "ClusterRole/perennial/kind", None),
    "rbac.aggregate": Other(False, "ClusterRole/perennial-edit/kind", None),
    "podDefaults": Other(
        {"labels": {"team": "ml"}}, "ConfigMap/perennial-pod-defaults/data/defaults.yaml", "labels:\n  team: ml\n"
    ),
    "policy.enabled": Other(False, "ValidatingAdmissionPolicy/perennial-operator/kind", None),
    "policy.volumes": Other(
        ["nfs"],
        f"{_VALIDATIONS}/1/message",
        "pod.volumes must only be of these kinds: nfs (policy.volumes of the chart)",
    ),
    "policy.serviceAccountTokens": Other(True, f"{_VALIDATIONS}/2/message", None),
    "policy.serviceAccounts": Other(
        ["trainer"],
        f"{_VALIDATIONS}/3/message",
        "pod.serviceAccountName must be one of these: trainer (policy.serviceAccounts of the chart)",
    ),
    "policy.images": Other(
        ["r.example/"],
        f"{_VALIDATIONS}/3/message",
        "runtime.image must begin with one of these: r.example/ (policy.images of the chart)",
    ),
    "policy.commands": Other(
        False, f"{_VALIDATIONS}/3/message", "runtime.command must not be set (policy.commands of the chart)"
    ),
    "monitoring.serviceMonitor": Other(True, f"{_MONITOR}/kind", "ServiceMonitor"),
    "monitoring.podMonitor": Other(True, "PodMonitor/perennial-pods/kind", "PodMonitor"),
    "monitoring.prometheusRule": Other(True, "PrometheusRule/perennial/kind", "PrometheusRule"),
    "monitoring.interval": Other(
        "7s", f"{_MONITOR}/spec/endpoints/0/interval", "7s", needs={"monitoring": {"serviceMonitor": True}}
    ),
    "monitoring.labels": Other(
        {"release": "p"}, f"{_MONITOR}/metadata/labels/release", "p", needs={"monitoring": {"serviceMonitor": True}}
    ),
    "resources": Other({"limits": {"memory": "1Gi"}}, f"{_OPERATOR}/resources/limits/memory", "1Gi"),
    "deploymentAnnotations": Other({"a": "b"}, f"{_DEPLOYMENT}/metadata/annotations/a", "b"),
    "podAnnotations": Other({"a": "b"}, f"{_DEPLOYMENT}/spec/template/metadata/annotations/a", "b"),
    "podLabels": Other({"a": "b"}, f"{_DEPLOYMENT}/spec/template/metadata/labels/a", "b"),
    "service.annotations": Other({"a": "b"}, "Service/perennial-metrics/metadata/annotations/a", "b"),
    "strategy": Other({"rollingUpdate": {"maxSurge": 0}}, f"{_DEPLOYMENT}/spec/strategy/rollingUpdate/maxSurge", 0),
    "podDisruptionBudget.enabled": Other(False, f"{_BUDGET}/kind", None, needs=_TWO),
    "podDisruptionBudget.maxUnavailable": Other("50%", f"{_BUDGET}/spec/maxUnavailable", "50%", needs=_TWO),
    "podSecurityContext": Other({"runAsUser": 20001}, f"{_POD}/securityContext/runAsUser", 20001),
    "securityContext": Other(
        {"capabilities": {"add": ["NET_BIND_SERVICE"]}},
        f"{_OPERATOR}/securityContext/capabilities/add/0",
        "NET_BIND_SERVICE",
    ),
    "extraArgs": Other(["--workers=3"], f"{_OPERATOR}/args/12", "--workers=3"),
    "env": Other([{"name": "NO_PROXY", "value": ".svc"}], f"{_OPERATOR}/env/0/value", ".svc"),
    "envFrom": Other([{"secretRef": {"name": "proxy"}}], f"{_OPERATOR}/envFrom/0/secretRef/name", "proxy"),
    "extraVolumes": Other(_NAMED, f"{_POD}/volumes/1/configMap/name", "own-ca"),
    "extraVolumeMounts": Other(
        [{"name": "ca", "mountPath": "/ca"}],
        f"{_OPERATOR}/volumeMounts/1/mountPath",
        "/ca",
        needs={"extraVolumes": _NAMED},
    ),
    "networkPolicy.enabled": Other(True, f"{_NETWORK}/kind", "NetworkPolicy"),
    "networkPolicy.from": Other(
        [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
        f"{_NETWORK}/spec/ingress/0/from/1/ipBlock/cidr",
        "10.0.0.0/8",
        needs={"networkPolicy": {"enabled": True}},
    ),
    "hostNetwork": Other(True, f"{_POD}/hostNetwork", True),
    "dnsPolicy": Other("ClusterFirstWithHostNet", f"{_POD}/dnsPolicy", "ClusterFirstWithHostNet"),
    "dnsConfig": Other({"nameservers": ["10.0.0.9"]}, f"{_POD}/dnsConfig/nameservers/0", "10.0.0.9"),
    "priorityClassName": Other("system-cluster-critical", f"{_POD}/priorityClassName", "system-cluster-critical"),
    "runtimeClassName": Other("gvisor", f"{_POD}/runtimeClassName", "gvisor"),
    "nodeSelector": Other({"pool": "a"}, f"{_POD}/nodeSelector/pool", "a"),
    "tolerations": Other([{"operator": "Exists"}], f"{_POD}/tolerations/0/operator", "Exists"),
    "affinity": Other({"podAntiAffinity": {}}, f"{_POD}/affinity/podAntiAffinity", {}),
    "topologySpreadConstraints": Other([_SPREAD], f"{_POD}/topologySpreadConstraints/0/topologyKey", "zone"),
}

# Values of which the other one takes objects away.
REMOVING = (
    "crds.",
    "serviceAccount.create",
    "rbac.",
    "podDisruptionBudget.enabled",
    "watchNamespaces",
    "policy.enabled",
)


def others(*without: str) -> Values:
    """Every value set otherwise, but for those whose path begins with one of these."""
    return together(*(at(path, each.value) for path, each in OTHERS.items() if not path.startswith(without)))
