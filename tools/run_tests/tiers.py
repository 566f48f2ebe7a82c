"""Which tiers there are, and which of them run side by side."""

from run_tests.tier import Tier

PYTHON = ".venv/bin/python"
ONE_THREAD = {"OMP_NUM_THREADS": "1"}  # from the start: a library may read it before the tests could set it
# Two workers compute as much as two cores can: with a third one, each test only waits longer for the others.
BY_FILE = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")  # in the order of tests/conftest.py
EXAMPLES = ("example-pytorch", "example-tensorflow")


def pytest(name: str, *arguments: str, **environment: str) -> Tier:
    return Tier(name, ((PYTHON, "-m", "pytest", *arguments),), environment, is_pytest=True)


def usual() -> list[list[Tier]]:
    """Stages, one after the other; the tiers of a stage run side by side.

    Beside the unit tests images are built; the tests of the API and the faults both wait a part of their time.
    """
    prepare = Tier("prepare", (("python3", "tools/playground", "build", *EXAMPLES),))
    checks = Tier("checks", (("make", "--no-print-directory", "lint", "types", "docs"),))
    unit = pytest("unit", *BY_FILE, "tests/unit", **ONE_THREAD)
    api = pytest("api", "tests/api", PERENNIAL_TEST_CLUSTER="api")
    faults = pytest("faults", "tests/faults", PERENNIAL_TEST_CLUSTER="faults")
    e2e = pytest("e2e", *BY_FILE, "-m", "not long", "tests/e2e")
    return [[prepare, checks, unit], [api, faults], [e2e]]


def long() -> list[list[Tier]]:
    """What only repeats, at length, what the usual tiers prove."""
    faults = Tier("faults", (("make", "--no-print-directory", "faults"),))
    fuzz = Tier("fuzz", (("make", "--no-print-directory", "fuzz"),))
    chart, kueue = pytest("chart", "tests/chart"), pytest("kueue", "tests/kueue")
    return [[pytest("e2e", "-m", "long", "tests/e2e")], [chart], [kueue], [fuzz], [faults]]
