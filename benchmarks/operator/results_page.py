"""The page's table and plot, from the results."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = dict[str, Any]
BEGIN, END = "<!-- results: written by make bench-operator -->", "<!-- end of results -->"
COLOURS = {"direct": "#9aa0a6", "perennial": "#1a73e8", "kubeflow-trainer": "#e8710a"}
_WIDTH, _BAR, _GAP, _LEFT, _TOP = 760, 20, 18, 150, 40

_Shown = Callable[[Any], str]


def _number(digits: int, unit: str = "") -> _Shown:
    return lambda value: f"{value:,.{digits}f}{unit}"


COLUMNS: dict[str, tuple[str, _Shown]] = {
    "objects": ("objects", _number(0)),
    "system": ("system", str),
    "objects_per_second": ("objects/s", _number(1)),
    "p50_first_child_s": ("first child, p50", _number(2, " s")),
    "p99_first_child_s": ("p99", _number(2, " s")),
    "p50_first_status_s": ("first status, p50", _number(2, " s")),
    "p99_first_status_s": ("p99", _number(2, " s")),
    "p99_child_to_status_s": ("child to status, p99", _number(2, " s")),
    "requests_per_object": ("requests per object", _number(1)),
    "writes_per_object": ("of them writes", _number(1)),
    "cpu_s": ("CPU", _number(1, " s")),
    "rss_bytes": ("RSS", lambda value: f"{value / 1e6:.0f} MB"),
    "idle_writes": ("idle writes", _number(0)),
    "restart_s": ("restart", _number(1, " s")),
    "restart_writes": ("writes of the restart", _number(0)),
}


def table(runs: list[Run]) -> str:
    """In Markdown, one line a run."""
    lines = [[title for title, _ in COLUMNS.values()], ["---" for _ in COLUMNS]]
    lines += [[_cell(run, name, shown) for name, (_, shown) in COLUMNS.items()] for run in runs]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(run: Run, name: str, shown: _Shown) -> str:
    return "" if run.get(name) is None else shown(run[name])


def write(runs: list[Run], page: Path, plot: Path) -> None:
    """Puts table and machine between the page's markers, and the plot beside it; ValueError without markers."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} lacks the lines {BEGIN!r} and {END!r}, between which the results go.")
    page.write_text(f"{before}{begin}\n\n{_machine(runs[0])}\n\n{table(runs)}\n\n{end}{after}")
    plot.write_text(svg(runs))


def _machine(run: Run) -> str:
    machine = run["machine"]
    return (
        f"{machine['date'][:10]}: {machine['cores']} cores ({machine['processor']}), "
        f"{machine['memory_bytes'] / 2**30:.0f} GiB, Linux {machine['system']}, Python {machine['python']}."
    )


def svg(runs: list[Run]) -> str:
    """Objects per second as bars, grouped by the number of objects."""
    most = max(run["objects_per_second"] for run in runs)
    parts, y, before = [], _TOP, None
    for run in sorted(runs, key=lambda run: run["objects"]):
        if run["objects"] != before:
            y, before = y + _GAP, run["objects"]
            parts.append(_text(12, y + _BAR * 0.7, f"{before:,} objects"))
        width = (_WIDTH - _LEFT - 190) * run["objects_per_second"] / most
        parts.append(
            f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_BAR - 4}" fill="{COLOURS[run["system"]]}"/>'
        )
        parts.append(_text(_LEFT + width + 6, y + _BAR * 0.65, f"{run['objects_per_second']:.1f} {run['system']}"))
        y += _BAR
    title = _text(12, 24, "Objects per second until each has its child and status", "bold")
    size = f'viewBox="0 0 {_WIDTH} {y + _GAP}" width="{_WIDTH}" height="{y + _GAP}"'
    style = 'font-family="sans-serif" font-size="13"'
    background = '<rect width="100%" height="100%" fill="#ffffff"/>'
    return "\n".join(
        [f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>', background, title, *parts, "</svg>\n"]
    )


def _text(x: float, y: float, text: str, weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-weight="{weight}">{text}</text>'
