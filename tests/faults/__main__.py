"""`make faults`: every fault at every write of a model's life must end like an undisturbed life."""

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from perennial_testing.cluster.control_plane import ControlPlane, provided
from perennial_testing.faults.sweep import FAULTS, KILLS, End, Point, play, points, sweep


def main() -> int:
    """0 if every point converged."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument(
        "--fault", action="append", choices=FAULTS, help="run only this fault; repeatable (default: all)"
    )
    parser.add_argument("--every", type=int, default=1, metavar="N", help="run only every Nth life (default: 1)")
    parser.add_argument("--workers", type=int, default=6, metavar="N", help="number of concurrent lives (default: 6)")
    parser.add_argument("--report", type=Path, metavar="FILE", help="file for the results, as JSON Lines")
    given = parser.parse_args()
    with provided() as control_plane:
        return _run(control_plane, given)


def _run(control_plane: ControlPlane, given: argparse.Namespace) -> int:
    clean = [play(control_plane.kubeconfig, control_plane.kubectl_path, None, None) for _ in range(2)]
    length, expected = max(end.writes for end in clean), clean[0].state
    chosen = points(length, given.fault or FAULTS, given.every)
    print(f"An undisturbed life: {clean[0].writes} writes in {clean[0].seconds:.0f} s.")
    print(f"{len(chosen)} lives with faults; usually {len(chosen) * 4 / 60:.0f} min on 2 cores.", flush=True)
    started, ends = time.monotonic(), []
    for point, end in sweep(control_plane, chosen, expected, given.workers):
        ends.append((point, end))
        _tell(point, end, len(ends), len(chosen), time.monotonic() - started)
        if given.report:
            _note(given.report, point, end)
    return _sum_up(ends)


def _tell(point: Point, end: End, done: int, of: int, seconds: float) -> None:
    if end.trouble:
        print(f"{point} ({', '.join(end.met)}) did not converge:", *end.trouble, sep="\n  ", flush=True)
    if done % 20 == 0:
        print(f"{done} of {of} lives in {seconds / 60:.1f} min", flush=True)


def _note(path: Path, point: Point, end: End) -> None:
    facts = {"number": point.number, "fault": point.fault, "writes": end.met, "seconds": round(end.seconds, 1)}
    with path.open("a") as report:
        report.write(json.dumps(facts | {"trouble": end.trouble}) + "\n")


def _sum_up(ends: list[tuple[Point, End]]) -> int:
    """A number beyond the last write of its own life, which others had, is no point."""
    met, converged = Counter[str](), Counter[str]()
    for point, end in ends:
        met[point.fault] += len(end.met)
        converged[point.fault] += 0 if end.trouble else len(end.met)
    for fault in met:
        print(f"  {fault}: {converged[fault]} of {met[fault]} writes")
    errors, kills = ([fault for fault in met if (fault in KILLS) is deadly] for deadly in (False, True))
    for what, faults in (("lost replies and errors", errors), ("crash points", kills)):
        print(f"{what}: {sum(met[f] for f in faults)}, converged: {sum(converged[f] for f in faults)}")
    return 1 if any(end.trouble for _, end in ends) else 0


if __name__ == "__main__":
    sys.exit(main())
