"""The operator as a process."""

import signal
import threading
import uuid
from contextlib import suppress
from pathlib import Path

from perennial_testing.cluster.control_plane import ControlPlane
from perennial_testing.cluster.node import eventually
from perennial_testing.cluster.operator_entry import run_operator
from perennial_testing.forking import OPERATOR, forking

# Forked from a server that has imported it all: a start takes 50 ms instead of a second, and there are thousands.
_FORK_SERVER = forking(*OPERATOR)

# Several threads of a test may start one each.
_STARTING = threading.Lock()


class Operator:
    """`python -m perennial` on some namespaces, until the block ends.

    Each start has a Lease of its own, so that one that was killed keeps nobody waiting, and two of them work at once.
    """

    def __init__(self, control_plane: ControlPlane, log: Path, *namespaces: str, flags: tuple[str, ...] = ()) -> None:
        served = [flag for name in namespaces for flag in ("--namespace", name)]
        self._arguments = ["--metrics-port", "0", "--lease-namespace", "default", *served, *flags]
        self._kubeconfig = control_plane.kubeconfig
        self._path = log

    def start(self) -> "Operator":
        """Starts it, also after a kill."""
        own_lease = ["--lease-name", f"test-{uuid.uuid4().hex[:8]}"]
        arguments = [*own_lease, *self._arguments]  # the last of a flag counts
        self._process = _FORK_SERVER.Process(target=run_operator, args=(arguments, self._kubeconfig, self._path))
        with _STARTING:
            self._process.start()
        return self

    def __enter__(self) -> "Operator":
        return self.start()

    def __exit__(self, *_: object) -> None:
        code = self.stop()
        assert code == 0, f"it ended with {code}: {self.log}"
        assert "Traceback" not in self.log, self.log

    @property
    def log(self) -> str:
        """All that it has logged, over all its starts."""
        return self._path.read_text() if self._path.exists() else ""

    @property
    def pid(self) -> int:
        """The process."""
        assert self._process.pid
        return self._process.pid

    @property
    def lives(self) -> bool:
        """Whether the process has not ended."""
        return self._process.is_alive()

    def wait_until_it_leads(self) -> None:
        eventually(lambda: "this replica leads" in self.log, "the operator leads")

    def kill(self) -> None:
        """SIGKILL: nothing can be put in order."""
        self._process.kill()
        self._process.join()

    def stop(self) -> int | None:
        """SIGTERM; the exit code, or None if it goes on for more than 30 s (it is killed then)."""
        eventually(lambda: not self.lives or handles_sigterm(self.pid), "it handles signals")
        self._process.terminate()
        self._process.join(timeout=30)
        code = self._process.exitcode
        if code is None:
            self.kill()
        return code


def handles_sigterm(pid: int) -> bool:
    """What /proc/PID/status says of the signals that are caught (proc_pid_status(5)); False if it has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("SigCgt"):
                return bool(int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
    return False
