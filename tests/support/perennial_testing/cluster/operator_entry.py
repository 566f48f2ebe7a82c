"""The entry of a forked operator; it imports only modules that the forkserver has preloaded.

An operator is started thousands of times, and what this imports would be imported each time.
"""

import os
import sys
from pathlib import Path

from perennial.__main__ import main
from perennial_testing.forking import write_output_to


def run_operator(arguments: list[str], kubeconfig: str, log: Path) -> None:
    """Runs the command line, with its output at the end of `log`."""
    with log.open("a") as output:
        write_output_to(output.fileno())
    os.environ["KUBECONFIG"] = kubeconfig
    sys.argv = ["perennial", *arguments]
    main()
