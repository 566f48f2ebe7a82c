"""What a forked server process runs; in a module of its own name, since several files are called conftest."""

import os
import sys
from pathlib import Path

import torch

from perennial_serving.__main__ import main


def run_server(arguments: list[str], log: Path) -> None:
    """The command line in a process of its own, with everything it says in `log`."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(output, stream)
    torch.set_num_threads(1)  # torch is imported already
    sys.exit(main(arguments))
