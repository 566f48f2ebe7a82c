"""Runs all checks and tests, in parallel where possible: `python3 tools/run_tests`.

Each line of output begins with its tier. The summary has the time of each tier, the ten slowest tests and each failure.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])  # the folder of the package, not the package itself

from run_tests import report, tiers  # noqa: E402
from run_tests.tier import ROOT, Outcome, run_side_by_side  # noqa: E402


def main() -> int:
    """0 if everything passed."""
    parser = argparse.ArgumentParser(prog="run_tests", description=__doc__)
    parser.add_argument("--long", action="store_true", help="run the slow tests instead, as make test-long does")
    names = [tier.name for stage in tiers.usual() for tier in stage]
    parser.add_argument("--only", metavar="TIER", choices=names, help=f"run only this tier: {', '.join(names)}")
    options = parser.parse_args()
    os.chdir(ROOT)
    started, outcomes = time.monotonic(), list[Outcome]()
    with tempfile.TemporaryDirectory() as folder:
        stages = tiers.long() if options.long else tiers.usual()
        for stage in stages:
            chosen = [tier for tier in stage if options.only in (None, tier.name)]
            outcomes += run_side_by_side(chosen, Path(folder)) if chosen else []
        report.print_slowest(Path(folder))
        report.print_failures(Path(folder))
    report.print_tiers(outcomes, time.monotonic() - started)
    return 0 if all(outcome.passed for outcome in outcomes) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
