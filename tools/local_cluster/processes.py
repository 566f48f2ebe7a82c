"""Which process is ours: a pid means nothing alone, as the kernel gives it to others later."""

import json
import os
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

END_SECONDS = 20


@dataclass(frozen=True)
class Process:
    """A process, known by its pid together with when it began (clock ticks after which boot)."""

    pid: int
    began: str

    @classmethod
    def of(cls, pid: int) -> Self:
        """Raises FileNotFoundError where there is none (any more)."""
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return cls(pid, f"{_stat(pid)[19]} {boot}")

    @property
    def alive(self) -> bool:
        try:
            return Process.of(self.pid) == self and _stat(self.pid)[0] != "Z"
        except (FileNotFoundError, ProcessLookupError):
            return False

    def children(self) -> list["Process"]:
        try:
            pids = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
            return [Process.of(int(pid)) for pid in pids] if self.alive else []
        except (FileNotFoundError, ProcessLookupError):
            return []

    def command(self) -> list[str]:
        try:
            return Path(f"/proc/{self.pid}/cmdline").read_text().split("\0")[:-1]
        except (FileNotFoundError, ProcessLookupError):
            return []

    def kill(self) -> None:
        """Ends it at once and waits until it is gone. Raises TimeoutError where the kernel keeps it."""
        deadline = time.monotonic() + END_SECONDS
        while self.alive:
            os.kill(self.pid, signal.SIGKILL)
            if time.monotonic() > deadline:
                raise TimeoutError(f"process {self.pid} does not end after SIGKILL")
            time.sleep(0.02)

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))


def load(path: Path) -> Process | None:
    """The saved process where it still lives, else None."""
    try:
        process = Process(**json.loads(path.read_text()))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return process if process.alive else None


def _stat(pid: int) -> list[str]:
    """The fields after the command's name, which may itself hold blanks and parentheses."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
