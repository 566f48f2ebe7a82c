"""The entry of a forked server process; it imports only modules that the forkserver has preloaded."""

import os
import sys
from pathlib import Path

import torch

from perennial_serving.__main__ import main
from perennial_testing.forking import write_output_to


def run_server(arguments: list[str], log: Path) -> None:
    """Runs the command line with its output in `log`."""
    write_output_to(os.open(log, os.O_WRONLY | os.O_CREAT))
    torch.set_num_threads(1)  # torch is imported already
    sys.exit(main(arguments))
