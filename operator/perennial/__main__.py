"""`python -m perennial`, see `--help`."""

import os
import signal
from typing import Any


def _end(*_: Any) -> None:
    os._exit(0)


def main() -> None:
    """Runs the operator and exits: 0 after SIGTERM, 1 if it can't continue, 2 for an invalid flag."""
    # Before the imports, which take a second: PID 1 of a container ignores signals without a handler.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    from perennial.process.process import run

    run()


if __name__ == "__main__":
    main()
