"""The report as one self-contained HTML page."""

import io
from pathlib import Path
from typing import Any

import matplotlib
from jinja2 import Environment
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from perennial_contract.tasks import METRICS

_TEMPLATE = Path(__file__).with_name("page.html.j2")


def page(report: dict[str, Any]) -> str:
    """The page of a report; texts of the data are escaped."""
    findings = report.get("findings") or {}
    return (
        Environment(autoescape=True)
        .from_string(_TEMPLATE.read_text())
        .render(
            r=report,
            titles={name: metric.title for name, metric in METRICS.items()},
            curves=[Markup(svg) for svg in _curves(report)],
            gap=_gap(report["metrics"]["loss"] - report["trainingLoss"], report["trainingLoss"]),
            reliability=Markup(_reliability(findings["calibration"]["bins"])) if "calibration" in findings else "",
            color=_color,
        )
    )


def _gap(gap: float, loss: float) -> str:
    share = gap / max(abs(loss), 1e-9)
    if share > 0.2:
        return f"{gap:+.3g}, which is overfitting; more data, dropout, weightDecay or augmentation may help."
    if share < -0.05:
        return f"{gap:+.3g}, the held-out examples are easier than the training examples."
    return f"{gap:+.3g}, the model generalizes to new examples."


def _curves(report: dict[str, Any]) -> list[str]:
    training = [(entry["step"], entry["loss"]) for entry in report["curve"] if "loss" in entry]
    evaluations = [entry for entry in report["curve"] if "eval_loss" in entry]
    lines = {"training": training, "held out": [(entry["step"], entry["eval_loss"]) for entry in evaluations]}
    plots = [_plot(lines, "loss (nats)", report["bestStep"])]
    keys = evaluations[0] if evaluations else {}
    for name in [key.removeprefix("eval_") for key in keys if key.startswith("eval_")]:
        if name != "loss":
            line = [(entry["step"], entry[f"eval_{name}"]) for entry in evaluations]
            plots.append(_plot({"held out": line}, METRICS[name].title, report["bestStep"]))
    rate = [(entry["step"], entry["learning_rate"]) for entry in report["curve"] if "learning_rate" in entry]
    return [*plots, _plot({"learning rate": rate}, "learning rate", report["bestStep"])]


def _plot(lines: dict[str, list[tuple[float, float]]], title: str, best: int) -> str:
    figure = Figure(figsize=(7, 2.6))
    axes = _axes(figure)
    for name, points in lines.items():
        axes.plot(
            *zip(*points, strict=True) if points else ([], []), label=name, marker="." if len(points) < 30 else ""
        )
    axes.axvline(best, color="grey", linestyle=":", label=f"best step, {best}")
    axes.set_xlabel("step")
    axes.set_ylabel(title)
    axes.legend()
    return _svg(figure)


def _reliability(bins: list[dict[str, float]]) -> str:
    figure = Figure(figsize=(3.6, 3.2))
    axes = _axes(figure)
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", label="perfect")
    axes.plot([b["confidence"] for b in bins], [b["accuracy"] for b in bins], marker="o", label="this model")
    axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.legend()
    return _svg(figure)


def _axes(figure: Figure) -> Axes:
    """Axes with room for labels, in inches. To fit margins to the labels would take as long as to draw them."""
    left, bottom, right, top = 0.8, 0.5, 0.15, 0.2
    width, height = figure.get_size_inches()
    return figure.add_axes((left / width, bottom / height, 1 - (left + right) / width, 1 - (bottom + top) / height))


def _svg(figure: Figure) -> str:
    """The figure as SVG, with the same bytes for the same numbers."""
    text = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "perennial", "svg.fonttype": "none"}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue().partition("<svg")[1] + text.getvalue().partition("<svg")[2]


def _color(share: float, tokens: list[dict[str, Any]]) -> str:
    largest = max(abs(token["share"]) for token in tokens) or 1.0
    return f"rgba({'0,150,60' if share > 0 else '210,40,30'},{0.75 * abs(share) / largest:.2f})"
