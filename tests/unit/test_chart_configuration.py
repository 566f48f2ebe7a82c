"""The files that the chart writes for the operator, as the operator reads them."""

from pathlib import Path

import pytest
import yaml

from perennial.decide.defaults import PodDefaults
from perennial.loop.readings.access import Access, Tls
from perennial.process.files import access as load
from perennial.process.files import pod_defaults
from perennial.process.settings import parse
from perennial_testing.chart import CHART, Manifest, helm, rendered
from perennial_testing.documentation import blocks

DEFAULTS = ("podDefaults.labels.team=ml", "podDefaults.priorityClassName=batch")


def template(*values: str) -> Manifest:
    found: Manifest = rendered(*values)["Deployment perennial"]["spec"]["template"]
    return found


def test_the_operator_reads_the_defaults_of_the_chart(tmp_path: Path) -> None:
    pod = template(*DEFAULTS)["spec"]
    (flag,) = [each for each in pod["containers"][0]["args"] if each.startswith("--pod-defaults=")]
    (volume,) = [each for each in pod["volumes"] if each["name"] == "pod-defaults"]
    (mount,) = [each for each in pod["containers"][0]["volumeMounts"] if each["name"] == volume["name"]]
    path = Path(flag.partition("=")[2])
    assert path.parent == Path(mount["mountPath"])
    config_map = rendered(*DEFAULTS)[f"ConfigMap {volume['configMap']['name']}"]
    file = tmp_path / path.name
    file.write_text(config_map["data"][path.name])
    defaults = parse([f"--pod-defaults={file}"], {}).defaults.pods
    assert defaults.to_wire()["labels"] == {"team": "ml"}
    assert defaults.priority_class_name == "batch"


def test_the_operator_restarts_when_they_change() -> None:
    others = ("podDefaults.labels.team=others",)
    assert template(*others)["metadata"]["annotations"] != template(*DEFAULTS)["metadata"]["annotations"]


def test_without_defaults_there_is_no_file() -> None:
    assert not any(name.startswith("ConfigMap") for name in rendered())
    assert not any("pod-defaults" in each for each in template()["spec"]["containers"][0]["args"])


def test_without_access_to_prometheus_its_url_is_all() -> None:
    found = rendered("prometheus.url=http://prometheus:9090")
    container = found["Deployment perennial"]["spec"]["template"]["spec"]["containers"][0]
    assert "--prometheus-url=http://prometheus:9090" in container["args"]
    assert not [argument for argument in container["args"] if "--prometheus-config" in argument]
    assert not [name for name in found if name.startswith("ConfigMap")]


def test_the_access_to_prometheus_is_a_configuration_beside_the_files_of_a_secret(tmp_path: Path) -> None:
    access = (
        "prometheus.bearerTokenFile=token",
        "prometheus.tls.caFile=ca.crt",
        "prometheus.headerFiles.X-Api-Key=api-key",
        "prometheus.tenantHeader=X-Scope-OrgID",
        "prometheus.enforceNamespace=true",
    )
    found = rendered("prometheus.url=https://thanos:9091", "prometheus.existingSecret=prom", *access)
    template = found["Deployment perennial"]["spec"]["template"]
    pod, container = template["spec"], template["spec"]["containers"][0]
    (mount,) = (mount for mount in container["volumeMounts"] if mount["name"] == "prometheus")
    (volume,) = (volume for volume in pod["volumes"] if volume["name"] == "prometheus")
    *secrets, config_map = volume["projected"]["sources"]
    assert secrets == [{"secret": {"name": "prom"}}]
    config = found[f"ConfigMap {config_map['configMap']['name']}"]["data"]
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
        found = rendered(values=yaml.safe_load(example.text))
        file = tmp_path / "config.yaml"
        if "podDefaults" in example.text:
            file.write_text(found["ConfigMap perennial-pod-defaults"]["data"]["defaults.yaml"])
            assert pod_defaults(file) != PodDefaults(), example.place
        else:
            file.write_text(found["ConfigMap perennial-prometheus"]["data"]["config.yaml"])
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
    done = helm("template", *(flag for value in values for flag in ("--set", value)))
    assert done.returncode != 0
    assert reason in done.stderr


def test_each_value_of_prometheus_is_a_key_of_the_configuration() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())["prometheus"]
    keys = {field.alias for field in Access.model_fields.values()}
    assert values.keys() - {"url", "existingSecret"} == keys
