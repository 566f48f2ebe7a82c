"""The workers of pytest-xdist share the cores: what computes in one of them, or in its processes, uses one thread."""

import os


def pytest_configure() -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        os.environ |= {"OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}  # before torch and tokenizers read them
