"""The entry of a forked server process; it imports only modules that the forkserver has preloaded."""

import os
import sys
from pathlib import Path

import torch

from perennial_serving.__main__ import main


def run_server(arguments: list[str], log: Path) -> None:
    """Runs the command line with its output in `log`."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(output, stream)
    torch.set_num_threads(1)  # torch is imported already
    sys.exit(main(arguments))
