"""The alerts of the chart: valid PromQL about metrics and labels that there are."""

from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from perennial.loop.readings.isolation import walk
from perennial_contract.metrics import METRICS, PrometheusMetric

ALERTS = Path(__file__).parents[2] / "charts" / "perennial" / "alerts.yaml"
RULES: list[dict[str, Any]] = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
BY_NAME = {metric.name: metric for metric in METRICS}
PARTS = ("_bucket", "_count", "_sum")


def metric_of(name: str) -> PrometheusMetric:
    """The metric of a series; a histogram has several."""
    part = next((part for part in PARTS if name.endswith(part)), "")
    found = BY_NAME[name.removesuffix(part)]
    assert not part or found.type == "histogram"
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_metrics_and_labels_that_there_are(rule: dict[str, Any]) -> None:
    nodes = walk(promql_parser.parse(rule["expr"]))
    found = [node for node in nodes if isinstance(node, promql_parser.VectorSelector)]
    assert found
    for selector in found:
        labels = {matcher.name for matcher in selector.matchers.matchers}
        assert labels <= set(metric_of(selector.name).labels)
    assert rule["annotations"].keys() == {"summary", "description"}
    assert rule["labels"]["severity"] in ("warning", "critical")


def test_each_alert_is_in_the_guide() -> None:
    guide = (ALERTS.parents[2] / "docs" / "guides" / "monitoring.md").read_text()
    rows = [line.split("`")[1] for line in guide.splitlines() if line.startswith("| `Perennial")]
    assert rows == [rule["alert"] for rule in RULES]
