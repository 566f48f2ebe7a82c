"""The entry of a forked program; it imports only modules that the forkserver has preloaded."""

import os
import runpy
import sys
from multiprocessing.connection import Connection

import torch

from perennial_testing.forking import write_output_to


def run_module(module: str, arguments: tuple[str, ...], environment: dict[str, str], output: Connection) -> None:
    """Runs it like `python -m`; raises SystemExit as it does."""
    write_output_to(output.fileno())
    output.close()
    os.environ.clear()
    os.environ.update(environment)
    if "OMP_NUM_THREADS" in environment:
        torch.set_num_threads(int(environment["OMP_NUM_THREADS"]))  # torch is imported already
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
