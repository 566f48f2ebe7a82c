"""Says what is being done, how long it usually takes, and how long it took."""

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STARTED = time.monotonic()


@contextlib.contextmanager
def step(what: str, usually: str) -> Iterator[None]:
    """One step, told before it starts and after it ended."""
    print(f"\n==> {what} (usually {usually})", flush=True)
    before = time.monotonic()
    yield
    now = time.monotonic()
    print(f"    done in {now - before:.0f} s; {now - STARTED:.0f} s in all", flush=True)


def run(*command: str | Path, **options) -> None:
    """Runs a command of which the user sees the output; ends the program with its words if it fails."""
    words = [str(word) for word in command]
    if subprocess.run(words, cwd=ROOT, **options).returncode:
        raise SystemExit(f"\nThis command failed: {' '.join(words)}")


def output(*command: str | Path, check: bool = True, **options) -> str:
    """What a command prints, without the last line's end; its errors are kept for the case that it fails."""
    words = [str(word) for word in command]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    ended = subprocess.run(words, cwd=ROOT, text=True, **options)
    if ended.returncode and check:
        raise SystemExit(f"\nThis command failed: {' '.join(words)}\n{ended.stderr or ''}")
    return ended.stdout.strip()


class Kubectl:
    """kubectl with a kubeconfig and a namespace."""

    def __init__(self, binary: str | Path, kubeconfig: str | Path, namespace: str = "default") -> None:
        self.namespace = namespace
        self.command = [str(binary), "--kubeconfig", str(kubeconfig), "--namespace", namespace]

    def __call__(self, *words: str, stdin: str | None = None, check: bool = True) -> str:
        return output(*self.command, *words, check=check, input=stdin)

    def show(self, *words: str) -> None:
        """Runs it so that the user sees command and output."""
        print(f"\n$ kubectl {' '.join(words)}", flush=True)
        run(*self.command, *words)

    def get(self, kind: str, name: str) -> dict:
        """The object, or an empty dict if there is none."""
        text = self("get", kind, name, "-o", "json", "--ignore-not-found")
        return json.loads(text) if text else {}

    @contextlib.contextmanager
    def proxy(self) -> Iterator[str]:
        """The base URL of the API server, without TLS or token, on a free loopback port."""
        command = [*self.command, "proxy", "--port=0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout
                yield "http://" + process.stdout.readline().rsplit(" ", 1)[-1].strip()
            finally:
                process.terminate()

    def wait_for(self, what: str, limit: int, check, every: float = 2.0):
        """Asks until `check()` yields something, and returns that."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            if found := check():
                return found
            time.sleep(every)
        raise SystemExit(f"\nWaited {limit} s in vain: {what}")
