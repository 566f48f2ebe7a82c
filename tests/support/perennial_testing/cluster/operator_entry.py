"""The entry of a forked operator; it imports only modules that the forkserver has preloaded.

An operator is started thousands of times, and what this imports would be imported each time.
"""

import os
import sys
from pathlib import Path

from perennial.__main__ import main

PRELOAD = ["__main__", "perennial.process.process", "pytest", "kubernetes.client.api", "kubernetes.client.models"]


def run_operator(arguments: list[str], kubeconfig: str, log: Path) -> None:
    """Runs the command line, with its output at the end of `log`."""
    with log.open("a") as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    os.environ["KUBECONFIG"] = kubeconfig
    sys.argv = ["perennial", *arguments]
    main()
