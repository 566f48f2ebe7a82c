"""The slowest tests and the failures, of what pytest wrote down, and how each tier ended."""

from pathlib import Path
from xml.etree import ElementTree

from run_tests.tier import Outcome

SLOWEST = 10
FAILURES = 10
WIDTH = 200


def print_slowest(folder: Path) -> None:
    """Over all tiers, with the time that their fixtures took."""
    timed = sorted((found for path in folder.glob("*.xml") for found in times(path)), reverse=True)
    print(f"\nThe {SLOWEST} slowest tests, with what each set up:")
    for seconds, tier, name in timed[:SLOWEST]:
        print(f"  {seconds:6.1f} s  {tier}: {name}")


def times(path: Path) -> list[tuple[float, str, str]]:
    """Seconds, tier and name of each test in a file of `pytest --junitxml`."""
    cases = ElementTree.parse(path).iter("testcase")
    return [(float(case.get("time", 0)), path.stem, _name(case)) for case in cases]


def print_failures(folder: Path) -> None:
    """Each test that failed and why, in a line: this is the end of a log, of which often only the end is kept."""
    found = [failure for path in sorted(folder.glob("*.xml")) for failure in failures(path)]
    if found:
        print("\nFailures:")
    for line in found[:FAILURES]:
        print(f"  {line[:WIDTH]}")
    if len(found) > FAILURES:
        print(f"  and {len(found) - FAILURES} more")


def failures(path: Path) -> list[str]:
    """Tier, name and the first line of the reason of each test that failed, by a file of `pytest --junitxml`."""
    lines = []
    for case in ElementTree.parse(path).iter("testcase"):
        for problem in (*case.iter("failure"), *case.iter("error")):
            reason = problem.get("message", "").strip().partition("\n")[0]
            lines.append(f"{path.stem}: {_name(case)}: {problem.tag}: {reason}")
    return lines


def _name(case: ElementTree.Element) -> str:
    return f"{case.get('classname')}::{case.get('name')}"


def print_tiers(outcomes: list[Outcome], seconds: float) -> None:
    """The last line says whether all passed."""
    print("\nTiers:")
    for outcome in outcomes:
        state = "passed" if outcome.passed else "FAILED"
        print(f"  {outcome.name:8} {state}  {outcome.seconds:5.0f} s  {outcome.summary}")
    failed = [outcome.name for outcome in outcomes if not outcome.passed]
    minutes = f"{seconds / 60:.1f} min"
    print(f"FAILED: {', '.join(failed)}, after {minutes}." if failed else f"All tiers passed in {minutes}.", flush=True)
