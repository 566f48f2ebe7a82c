"""Throughput and cost of the operator, the API server's limit and Kubeflow Trainer: `make bench-operator`."""

import argparse
import asyncio
import json
import os
import platform
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import results_page
from direct_writes import Direct
from fresh_control_plane import ROOT
from kubeflow_trainer import KubeflowTrainer
from measured_system import System
from measurement import measure
from perennial_operator import Perennial

SYSTEMS: dict[str, Callable[[], System]] = {
    "direct": Direct,
    "perennial": Perennial,
    "kubeflow-trainer": KubeflowTrainer,
}
RESULTS = ROOT / "benchmarks" / "results" / "operator.json"
PAGE, PLOT = ROOT / "docs" / "operations" / "performance.md", ROOT / "docs" / "operations" / "performance.svg"


def main() -> None:
    options = _parser().parse_args()
    if options.report_only:
        runs = json.loads(options.output.read_text())
    else:
        runs = _measure_all(options.systems, options.objects)
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(runs, indent=1) + "\n")
        print(f"Written: {options.output}")
    print(results_page.table(runs))
    if options.output.resolve() == RESULTS:
        results_page.write(runs, PAGE, PLOT)
        print(f"Written: {PAGE}, {PLOT}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks/operator", description=__doc__)
    parser.add_argument("--objects", nargs="+", type=_count, default=[500, 1000, 5000], metavar="N",
                        help="numbers of TrainingJobs or TrainJobs (default: 500 1000 5000)")  # fmt: skip
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS), metavar="SYSTEM",
                        help=f"systems to measure: {', '.join(SYSTEMS)} (default: all)")  # fmt: skip
    parser.add_argument("--output", type=Path, default=RESULTS, metavar="FILE",
                        help="file for the results; only the default updates docs/operations")  # fmt: skip
    parser.add_argument(
        "--report-only", action="store_true", help="write the page from existing results, without measuring"
    )
    return parser


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 10000")
    return int(text)


def _measure_all(systems: list[str], numbers: list[int]) -> list[dict[str, Any]]:
    """Size by size, the systems side by side, so that what else the machine does meets all alike."""
    todo = [(name, number) for number in numbers for name in systems]
    usual = sum(usual_seconds(name, number) for name, number in todo)
    print(f"{len(todo)} measurements, each on a fresh control plane (usually {usual / 60:.0f} min)", flush=True)
    runs, facts = [], _machine()
    for name, number in todo:
        print(f"==> {name}, {number} objects (usually {usual_seconds(name, number):.0f} s)", flush=True)
        began = time.monotonic()
        run = asyncio.run(measure(SYSTEMS[name](), number))
        run.machine = facts | {"date": datetime.now(UTC).isoformat(timespec="seconds")}
        runs.append(run.to_json())
        print(f"    {time.monotonic() - began:.0f} s", flush=True)
    return runs


def usual_seconds(system: str, objects: int) -> float:
    """On two cores."""
    second = min(objects, 1000)
    if system == "direct":
        return 20 + objects / 100
    if system == "perennial":
        return 120 + (objects + second) / 60
    return 110 + (objects + second) / 20


def _machine() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": memory,
        "processor": _processor(),
        "system": platform.release(),
        "python": platform.python_version(),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the control plane is taken down
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("\nInterrupted; nothing was written.") from None
