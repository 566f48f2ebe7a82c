"""The slowest tests, of what pytest wrote down, and how each tier ended."""

from pathlib import Path
from xml.etree import ElementTree

from run_tests.tier import Outcome

SLOWEST = 10


def print_slowest(folder: Path) -> None:
    """Over all tiers, with the time that their fixtures took."""
    timed = sorted((found for path in folder.glob("*.xml") for found in times(path)), reverse=True)
    print(f"\nThe {SLOWEST} slowest tests, with what each set up:")
    for seconds, tier, name in timed[:SLOWEST]:
        print(f"  {seconds:6.1f} s  {tier}: {name}")


def times(path: Path) -> list[tuple[float, str, str]]:
    """Seconds, tier and name of each test in a file of `pytest --junitxml`."""
    cases = ElementTree.parse(path).iter("testcase")
    return [(float(case.get("time", 0)), path.stem, f"{case.get('classname')}::{case.get('name')}") for case in cases]


def print_tiers(outcomes: list[Outcome], seconds: float) -> None:
    """The last line says whether all passed."""
    print("\nTiers:")
    for outcome in outcomes:
        state = "passed" if outcome.passed else "FAILED"
        print(f"  {outcome.name:8} {state}  {outcome.seconds:5.0f} s  {outcome.summary}")
    failed = [outcome.name for outcome in outcomes if not outcome.passed]
    minutes = f"{seconds / 60:.1f} min"
    print(f"FAILED: {', '.join(failed)}, after {minutes}." if failed else f"All tiers passed in {minutes}.", flush=True)
