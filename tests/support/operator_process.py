"""The operator as a process."""

import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

from control_plane import ControlPlane
from node import eventually


class Operator:
    """`python -m perennial` on some namespaces, until the block ends.

    Each has a Lease of its own, so that one that was killed keeps nobody waiting, and two of them work at once.
    """

    def __init__(self, control_plane: ControlPlane, log: Path, *namespaces: str) -> None:
        flags = [flag for name in namespaces for flag in ("--namespace", name)]
        lease = ["--lease-namespace", "default", "--lease-name", f"test-{uuid.uuid4().hex[:8]}"]
        self._command = [sys.executable, "-m", "perennial", "--metrics-port", "0", *lease, *flags]
        self._environment = os.environ | {"KUBECONFIG": control_plane.kubeconfig}
        self._path = log

    def __enter__(self) -> "Operator":
        with self._path.open("a") as log:
            self._process = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=log)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(timeout=30)
        assert code == 0, f"it ended with {code}: {self._path.read_text()}"
        assert "Traceback" not in self._path.read_text()

    def wait_until_it_leads(self) -> None:
        eventually(lambda: "this replica leads" in self._path.read_text(), "the operator leads")

    def kill(self) -> None:
        """SIGKILL: nothing can be put in order."""
        self._process.kill()
        self._process.wait()
