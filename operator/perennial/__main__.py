"""`python -m perennial`, see `--help`."""

import os
import signal
from typing import Any


def _end(*_: Any) -> None:
    os._exit(0)


def main() -> None:
    """Runs the operator and ends the process: 0 after SIGTERM, 1 if it can't go on, 2 for a wrong flag."""
    # Before the imports, which take a second: the first process of a container would not even notice the signal.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    from perennial.process.process import run

    run()


if __name__ == "__main__":
    main()
