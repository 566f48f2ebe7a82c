"""`make faults`: every fault at every write of a model's life, and whether the end is that of an undisturbed life."""

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from control_plane import ControlPlane, provided
from sweep import FAULTS, KILLS, End, Point, play, sweep


def main() -> int:
    """0 if every point converged."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument(
        "--fault", action="append", choices=FAULTS, help="only this fault; may be repeated (default: all)"
    )
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth write (default: 1)")
    parser.add_argument("--workers", type=int, default=6, metavar="N", help="stories at a time (default: 6)")
    parser.add_argument("--report", type=Path, metavar="FILE", help="what became of each point, as JSON lines")
    given = parser.parse_args()
    with provided() as control_plane:
        return _run(control_plane, given)


def _run(control_plane: ControlPlane, given: argparse.Namespace) -> int:
    clean = [play(control_plane.kubeconfig, control_plane.kubectl_path, None, None) for _ in range(2)]
    length, expected = max(len(end.writes) for end in clean), clean[0].state
    faults = given.fault or list(FAULTS)
    points = [Point(number, fault) for fault in faults for number in range(1, length + 1, given.every)]
    print(f"An undisturbed life: {len(clean[0].writes)} writes in {clean[0].seconds:.0f} s.")
    print(f"{len(points)} points; usually {len(points) * 3 / 60:.0f} min on 2 cores.", flush=True)
    started, ends = time.monotonic(), []
    for point, end in sweep(control_plane, points, expected, given.workers):
        ends.append((point, end))
        _tell(point, end, len(ends), len(points), time.monotonic() - started)
        if given.report:
            _note(given.report, point, end)
    return _sum_up(ends)


def _tell(point: Point, end: End, done: int, of: int, seconds: float) -> None:
    if end.trouble:
        print(f"{point} ({end.hit}) did not converge:", *end.trouble, sep="\n  ", flush=True)
    if done % 20 == 0:
        print(f"{done} of {of} points in {seconds / 60:.1f} min", flush=True)


def _note(path: Path, point: Point, end: End) -> None:
    facts = {"number": point.number, "fault": point.fault, "write": end.hit, "seconds": round(end.seconds, 1)}
    with path.open("a") as report:
        report.write(json.dumps(facts | {"trouble": end.trouble}) + "\n")


def _sum_up(ends: list[tuple[Point, End]]) -> int:
    """The tail of the longest of the undisturbed lives, which others end without, is no point."""
    reached = [(point, end) for point, end in ends if end.hit or end.trouble]
    converged = Counter(point.fault for point, end in reached if not end.trouble)
    met = Counter(point.fault for point, _ in reached)
    for fault in met:
        print(f"  {fault}: {converged[fault]} of {met[fault]} writes")
    print(f"Not reached, as these lives were shorter: {len(ends) - len(reached)}")
    errors = sum(met[fault] for fault in met if fault not in KILLS)
    good = sum(converged[fault] for fault in met if fault not in KILLS)
    print(f"lost replies and errors: {errors}, converged: {good}")
    kills, survived = sum(met[fault] for fault in KILLS), sum(converged[fault] for fault in KILLS)
    print(f"crash points: {kills}, converged: {survived}")
    return 0 if (errors, kills) == (good, survived) else 1


if __name__ == "__main__":
    sys.exit(main())
