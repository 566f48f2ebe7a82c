"""podDefaults of the chart, as the operator reads them."""

from pathlib import Path

from perennial.process.settings import parse
from perennial_testing.cluster.chart import rendered
from perennial_testing.cluster.control_plane import Manifest

VALUES = ("podDefaults.labels.team=ml", "podDefaults.priorityClassName=batch")


def template(*values: str) -> Manifest:
    (deployment,) = rendered("Deployment", *values)
    found: Manifest = deployment["spec"]["template"]
    return found


def test_the_operator_reads_the_defaults_of_the_chart(tmp_path: Path) -> None:
    pod = template(*VALUES)["spec"]
    (flag,) = [each for each in pod["containers"][0]["args"] if each.startswith("--pod-defaults=")]
    (volume,) = [each for each in pod["volumes"] if each["name"] == "pod-defaults"]
    (mount,) = [each for each in pod["containers"][0]["volumeMounts"] if each["name"] == volume["name"]]
    path = Path(flag.partition("=")[2])
    assert path.parent == Path(mount["mountPath"])
    (config_map,) = rendered("ConfigMap", *VALUES)
    assert config_map["metadata"]["name"] == volume["configMap"]["name"]
    file = tmp_path / path.name
    file.write_text(config_map["data"][path.name])
    defaults = parse([f"--pod-defaults={file}"], {}).defaults.pods
    assert defaults.to_wire()["labels"] == {"team": "ml"}
    assert defaults.priority_class_name == "batch"


def test_the_operator_restarts_when_they_change() -> None:
    others = ("podDefaults.labels.team=others",)
    assert template(*others)["metadata"]["annotations"] != template(*VALUES)["metadata"]["annotations"]


def test_without_defaults_there_is_no_file() -> None:
    assert rendered("ConfigMap") == []
    assert not any("pod-defaults" in each for each in template()["spec"]["containers"][0]["args"])
