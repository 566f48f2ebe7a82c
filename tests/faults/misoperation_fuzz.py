"""`make fuzz`: random sequences of good and bad specs, on one operator."""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from perennial_testing.cluster.control_plane import ControlPlane, provided
from perennial_testing.misoperation.arena import Arena, Findings
from perennial_testing.misoperation.steps import drawn


def main() -> int:
    """0 if nothing was violated."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--sequences", type=int, default=1000, metavar="N", help="number of sequences (default: 1000)")
    parser.add_argument(
        "--seed",
        type=int,
        default=time.time_ns() % 10**6,
        metavar="N",
        help="seed of the random sequences (default: a new one)",
    )
    parser.add_argument(
        "--side-by-side", type=int, default=32, metavar="N", help="number of concurrent sequences (default: 32)"
    )
    parser.add_argument("--only", type=int, metavar="N", help="run only the Nth sequence")
    parser.add_argument("--log", type=Path, metavar="FILE", help="file for the log of the operator (default: none)")
    given = parser.parse_args()
    print(f"Drawing {given.sequences} sequences with --seed {given.seed}", flush=True)
    with provided() as control_plane, tempfile.TemporaryDirectory() as folder:
        findings = asyncio.run(fuzz(control_plane, given.log or Path(folder) / "log", given))
    print(f"slowest look at a new object: {findings.slowest_probe:.1f} s")
    print(f"sequences: {findings.played}, violations: {len(findings.violations)}")
    return 1 if findings.violations else 0


async def fuzz(control_plane: ControlPlane, log: Path, given: argparse.Namespace) -> Findings:
    sequences = drawn(given.sequences, given.seed)
    sequences = sequences if given.only is None else [sequences[given.only]]
    started = time.monotonic()

    def tell(findings: Findings) -> None:
        if findings.played % 50 == 0:
            found = len(findings.violations)
            print(
                f"{findings.played} of {len(sequences)} in {time.monotonic() - started:.0f} s, {found} violations",
                flush=True,
            )

    async with Arena(control_plane, log, given.side_by_side).open() as arena:
        await arena.play(sequences, tell)
    return arena.findings


if __name__ == "__main__":
    raise SystemExit(main())
