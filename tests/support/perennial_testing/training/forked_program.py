"""Python programs for tests, each in a process of its own, which a test may stop or kill."""

import os
import signal
import threading
from collections.abc import Mapping

from perennial_testing.forking import TORCH, forking
from perennial_testing.training.program_entry import run_module


class ForkedProgram:
    """`python -m MODULE`, forked; what tests use of `subprocess.Popen`. stdout: what it writes, errors included."""

    def __init__(self, module: str, *arguments: str, environment: Mapping[str, str]) -> None:
        context = forking(*TORCH)
        reader, writer = context.Pipe(duplex=False)
        given = (module, arguments, dict(environment), writer)
        self._process = context.Process(target=run_module, args=given)
        self._process.start()
        writer.close()
        self.stdout = os.fdopen(os.dup(reader.fileno()))
        reader.close()

    @property
    def pid(self) -> int:
        assert self._process.pid
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """As of a subprocess: negative for a signal, None while it runs."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self) -> int:
        self._process.join()
        assert self.returncode is not None
        return self.returncode

    def ended(self, seconds: float) -> tuple[int, str]:
        """Exit code and the rest of what it wrote; after so many seconds it is killed."""
        killer = threading.Timer(seconds, self.kill)
        killer.start()
        output = self.stdout.read()
        code = self.wait()
        killer.cancel()
        return code, output

    def close(self) -> None:
        """Ends it, if it still runs."""
        self.kill()
        self.wait()
        self.stdout.close()
