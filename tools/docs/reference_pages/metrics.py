"""The reference of Prometheus metrics, by the pods that expose them."""

from perennial_contract.metrics import METRICS, PrometheusMetric
from reference_pages.markdown import code, table

_TRAINING = "perennial_training_"
_SERVING = ("perennial_request", "perennial_time_to_", "perennial_prompt_", "perennial_generated_", "perennial_model_")


def page() -> str:
    """The page."""
    groups: dict[str, list[PrometheusMetric]] = {"Operator": [], "Training pods": [], "Serving pods": []}
    for metric in METRICS:
        groups[_pods(metric.name)].append(metric)
    sections = [f"## {title}\n\n{_table(metrics)}" for title, metrics in groups.items()]
    intro = "Names and labels are API. How they are scraped: [Monitoring](../guides/monitoring.md).\n"
    return "\n".join(["# Metrics\n", intro, *sections])


def _pods(name: str) -> str:
    if name.startswith(_TRAINING):
        return "Training pods"
    return "Serving pods" if name.startswith(_SERVING) else "Operator"


def _table(metrics: list[PrometheusMetric]) -> str:
    rows = [(code(metric.name), metric.type, ", ".join(map(code, metric.labels)), metric.help) for metric in metrics]
    return table(("Metric", "Type", "Labels", "Meaning"), rows)
