"""Strict JSON Schemas for kubeconform: of the OpenAPI of Kubernetes itself, and of CRDs."""

import json
from pathlib import Path
from typing import Any

import yaml

from perennial_testing import go_program
from perennial_testing.chart import ROOT

_LOCAL_CLUSTER = ROOT / "tools" / "local_cluster" / "binaries"
_PROMETHEUS_OPERATOR = Path(__file__).parent / "prometheus-operator"
_FILE = "{group}_{version}_{kind}.json"
# The same in the template of kubeconform, to which the core group is called as its version.
TEMPLATE = _FILE.format(group="{{.Group}}", version="{{.ResourceAPIVersion}}", kind="{{.ResourceKind}}")
Schema = dict[str, Any]


def kubernetes() -> Path:
    """The sources of the Kubernetes that the tests use, in a folder `kubernetes@VERSION`."""
    return go_program.module_folder(_LOCAL_CLUSTER, "k8s.io/kubernetes")


def write(folder: Path) -> str:
    """Writes those of Kubernetes, of Perennial and of the Prometheus operator; returns the template of their paths."""
    for path in sorted((kubernetes() / "api" / "openapi-spec" / "v3").glob("*_openapi.json")):
        _write_api(folder, path)
    for path in sorted((*(ROOT / "crds").glob("*.yaml"), *_monitors())):
        _write_crd(folder, yaml.load(path.read_text(), yaml.CSafeLoader))
    return str(folder / TEMPLATE)


def _monitors() -> list[Path]:
    """The CRDs of the Prometheus operator that the chart has objects of."""
    module = "github.com/prometheus-operator/prometheus-operator"
    folder = go_program.module_folder(_PROMETHEUS_OPERATOR, module) / "example" / "prometheus-operator-crd"
    return [
        folder / f"monitoring.coreos.com_{name}.yaml" for name in ("podmonitors", "prometheusrules", "servicemonitors")
    ]


def _write_api(folder: Path, path: Path) -> None:
    """The document of a group and version; and for each kind in it a reference into that."""
    document = json.loads(path.read_text())
    schemas: dict[str, Schema] = document.get("components", {}).get("schemas", {})
    for schema in schemas.values():
        _close(schema)
    copy = folder / path.name
    copy.write_text(json.dumps(document))
    for name, schema in schemas.items():
        for kind in schema.get("x-kubernetes-group-version-kind", ()):
            group = kind["group"] or kind["version"]
            reference = {"$ref": f"{copy.as_uri()}#/components/schemas/{name}"}
            _file(folder, group, kind["version"], kind["kind"]).write_text(json.dumps(reference))


def _write_crd(folder: Path, crd: Schema) -> None:
    group, kind = crd["spec"]["group"], crd["spec"]["names"]["kind"]
    for version in crd["spec"]["versions"]:
        schema = version["schema"]["openAPIV3Schema"]
        _close(schema)
        _file(folder, group, version["name"], kind).write_text(json.dumps(schema))


def _file(folder: Path, group: str, version: str, kind: str) -> Path:
    return folder / _FILE.format(group=group, version=version, kind=kind.lower())


def _close(schema: Schema) -> None:
    """Refuses fields that the schema does not know, as the API server does with `fieldValidation=Strict`."""
    properties, further = schema.get("properties", {}), schema.get("additionalProperties")
    for inner in (*properties.values(), schema.get("items"), further):
        if isinstance(inner, dict):
            _close(inner)
    if properties and further is None and not schema.get("x-kubernetes-preserve-unknown-fields"):
        schema["additionalProperties"] = False
