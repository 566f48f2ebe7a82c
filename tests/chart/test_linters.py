"""The chart and the examples by the linters that their users run: no finding that is not explained."""

import shutil
from pathlib import Path

import pytest
import yaml

from perennial_testing import chart
from perennial_testing.chart import CHART, OTHERS, REMOVING, ROOT, Manifest, Values, others, together
from perennial_testing.linters import programs, schemas

PAGE = ROOT / "docs" / "contributing" / "linters.md"
EXAMPLES = sorted((ROOT / "examples").rglob("*.yaml"))
VARIANTS: dict[str, Values] = {
    "by default": {},
    "two replicas": {"replicas": 2},
    "for one namespace": {"watchNamespaces": ["default"]},
    "with monitoring": {"monitoring": {"serviceMonitor": True, "podMonitor": True, "prometheusRule": True}},
    "with every value set, and every object": others(*REMOVING),
    "with every value set": together(*(each.needs for each in OTHERS.values()), others()),
}
OVER_ALL = pytest.mark.parametrize("values", VARIANTS.values(), ids=VARIANTS)


def examples() -> list[Manifest]:
    texts = [path.read_text() for path in EXAMPLES]
    return [document for text in texts for document in yaml.load_all(text, yaml.CSafeLoader) if document]


@pytest.fixture(scope="module")
def schema_files(tmp_path_factory: pytest.TempPathFactory) -> str:
    return schemas.write(tmp_path_factory.mktemp("schemas"))


def explained() -> set[tuple[str, str]]:
    """The findings of kube-score that stay, by the table of the page: kind and check."""
    table = PAGE.read_text().partition("## Findings that stay")[2]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| `")]
    return {(row[1].strip(" `"), row[2].strip(" `")) for row in rows}


@OVER_ALL
def test_helm_finds_nothing(values: Values) -> None:
    assert programs.helm_lint(values) == ""


def test_helm_would_find_a_mistake() -> None:
    assert "replica" in programs.helm_lint({"replica": 2})


def test_chart_testing_finds_nothing() -> None:
    assert programs.chart_testing(CHART) == ""


@pytest.mark.parametrize(
    ("file", "line", "named"),
    [
        pytest.param("Chart.yaml", "colour: red", "Unexpected element", id="of the schema of Chart.yaml"),
        pytest.param("values.yaml", "# a space behind ", "trailing-spaces", id="of the style of YAML"),
        pytest.param("values.yaml", "replica: 2", "replica", id="of Helm"),
    ],
)
def test_chart_testing_would_find_a_mistake(file: str, line: str, named: str, tmp_path: Path) -> None:
    copy = tmp_path / "perennial"
    shutil.copytree(CHART, copy)
    with (copy / file).open("a") as end:
        end.write(f"{line}\n")
    assert named in programs.chart_testing(copy)


@OVER_ALL
def test_kubeconform_finds_nothing(values: Values, schema_files: str) -> None:
    assert programs.kubeconform(schema_files, chart.manifests(values=values)) == ""


def test_kubeconform_finds_nothing_in_the_examples(schema_files: str) -> None:
    assert programs.kubeconform(schema_files, examples()) == ""


@pytest.mark.parametrize(
    ("kind", "wrong", "named"),
    [
        pytest.param("LanguageModel", {"spec": {"versionHistory": 3}}, "versionHistory", id="an unknown field"),
        pytest.param("LanguageModel", {"spec": {"versionHistoryLimit": "3"}}, "versionHistoryLimit", id="a wrong type"),
        pytest.param("PersistentVolumeClaim", {"spec": {"mode": []}}, "mode", id="an unknown field of Kubernetes"),
        pytest.param("Secret", {"kind": "Secrets"}, "could not find schema", id="an unknown kind"),
    ],
)
def test_kubeconform_would_find_a_mistake(kind: str, wrong: Manifest, named: str, schema_files: str) -> None:
    right = next(each for each in examples() if each["kind"] == kind)
    assert named in programs.kubeconform(schema_files, [together(right, wrong)])


def test_what_kube_score_finds_is_explained_and_no_explanation_is_stale() -> None:
    found = {name: programs.kube_score(chart.manifests(values=values)) for name, values in VARIANTS.items()}
    assert set.union(*found.values(), programs.kube_score(examples())) == explained()
