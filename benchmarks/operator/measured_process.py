"""A process under measurement: what it logs, and what it costs."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


class Process:
    """One that runs; see `running`."""

    def __init__(self, started: "subprocess.Popen[bytes]", log: Path) -> None:
        self._started = started
        self.log = log

    def check(self) -> None:
        """Raises SystemExit with the end of the log if it has ended."""
        if (code := self._started.poll()) is not None:
            lines = self.log.read_text(errors="replace").splitlines()[-15:]
            raise SystemExit(f"{self._started.args!r} ended with {code}:\n" + "\n".join(lines))

    @property
    def cpu_seconds(self) -> float:
        """User and system time of all its threads."""
        fields = self._proc("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    @property
    def peak_rss_bytes(self) -> int:
        """The most memory that was resident."""
        line = next(line for line in self._proc("status").splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024

    def _proc(self, name: str) -> str:
        return Path(f"/proc/{self._started.pid}/{name}").read_text()


@contextmanager
def running(command: Sequence[str], environment: dict[str, str], log: Path) -> Iterator[Process]:
    """Runs it until the block ends (SIGTERM, after 30 s SIGKILL); its log is overwritten."""
    with log.open("wb") as output:
        started = subprocess.Popen(command, env=os.environ | environment, stdout=output, stderr=output)
    try:
        yield Process(started, log)
    finally:
        started.send_signal(signal.SIGTERM)
        try:
            started.wait(timeout=30)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()
