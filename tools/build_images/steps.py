"""Shows each step with how long it usually takes, and keeps its output for the case that it fails."""

import subprocess
import sys
import time


class Step:
    """`with Step("operator: build the image", 20): ...` prints a line before and the time after."""

    def __init__(self, title: str, usual_seconds: int) -> None:
        self.title, self.usual = title, usual_seconds

    def __enter__(self) -> None:
        print(f"{self.title} (usually {self.usual} s with nothing cached) ...", end=" ", file=sys.stderr, flush=True)
        self.started = time.monotonic()

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        print("failed" if failure else f"{time.monotonic() - self.started:.1f} s", file=sys.stderr, flush=True)


def run(*command: str) -> str:
    """The command's output.

    Raises SystemExit with the end of what it said where it fails.
    """
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode:
        tail = "\n".join(done.stdout.strip().splitlines()[-30:])
        raise SystemExit(f"\n{tail}\n\n{command[0]} {command[1]} failed with status {done.returncode} (see above).")
    return done.stdout
