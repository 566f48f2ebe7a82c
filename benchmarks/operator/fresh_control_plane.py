"""A fresh control plane for each measurement: etcd, API server, controller manager; no node."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAME = "bench"
_DEFINED_SECONDS = 30.0


class ControlPlane:
    """One that is up; see `fresh`."""

    def __init__(self) -> None:
        self.kubeconfig = Path(_local_cluster("kubeconfig", "--name", NAME))
        self._kubectl = _local_cluster("kubectl-path")

    @property
    def audit_log(self) -> Path:
        return self.kubeconfig.parent / "logs" / "audit.log"

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Its output; raises SystemExit with what it complained of."""
        return _output([self._kubectl, "--kubeconfig", str(self.kubeconfig), *arguments], stdin)

    def define(self, *definitions: Path) -> None:
        """Applies CustomResourceDefinitions, and waits until they are served; raises SystemExit after 30 s."""
        files = [flag for path in definitions for flag in ("-f", str(path))]
        self.kubectl("apply", "--server-side", *files)
        end = time.monotonic() + _DEFINED_SECONDS
        while True:
            try:
                self.kubectl("wait", "--for=condition=Established", *files, "--timeout=5s")
                return
            except SystemExit:  # those without any condition yet are an error to kubectl
                if time.monotonic() > end:
                    raise
                time.sleep(0.5)

    @contextmanager
    def without_controllers(self) -> Iterator[None]:
        """Holds the controller manager, so that nothing changes but by the one who is measured."""
        pid = self._controller_manager()
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def _controller_manager(self) -> int:
        mark = f"--kubeconfig={self.kubeconfig.parent / 'kube-controller-manager.kubeconfig'}".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "cmdline").read_bytes().split(b"\0"):
                    return int(folder.name)
            except OSError:  # it has ended
                continue
        raise SystemExit(f"The controller manager of the control plane {NAME} is not found; is it up?")


@contextmanager
def fresh() -> Iterator[ControlPlane]:
    """Brings one up, and takes it down at the end."""
    _local_cluster("down", "--name", NAME)
    _local_cluster("up", "--name", NAME, "--control-plane-only")
    try:
        yield ControlPlane()
    finally:
        _local_cluster("down", "--name", NAME)


def _local_cluster(*arguments: str) -> str:
    return _output([sys.executable, str(ROOT / "tools" / "local_cluster"), *arguments], None)


def _output(command: list[str], stdin: str | None) -> str:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{(done.stderr or done.stdout).strip()}")
    return done.stdout.strip()
