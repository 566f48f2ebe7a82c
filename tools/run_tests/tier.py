"""Runs tiers side by side; what they print is marked and shown as it comes."""

import os
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_PRINTING = threading.Lock()


@dataclass(frozen=True)
class Tier:
    """Some commands, of which each needs the one before. One of pytest also writes down how long each test took."""

    name: str
    commands: tuple[tuple[str, ...], ...]
    environment: dict[str, str] = field(default_factory=dict)
    is_pytest: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a tier ended."""

    name: str
    passed: bool
    seconds: float
    summary: str


def run_side_by_side(tiers: list[Tier], folder: Path) -> list[Outcome]:
    """The outcomes, in the order of the tiers. On Ctrl-C their processes end first."""
    started: list[subprocess.Popen[str]] = []
    with ThreadPoolExecutor(len(tiers)) as pool:
        running = [pool.submit(_run, tier, folder, started) for tier in tiers]
        try:
            return [future.result() for future in running]
        except KeyboardInterrupt:
            for process in started:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGINT)
            raise


def _run(tier: Tier, folder: Path, started: "list[subprocess.Popen[str]]") -> Outcome:
    before, last = time.monotonic(), ""
    passed = True
    for command in tier.commands:
        _show(tier, f"==> {' '.join(command)}")
        more = (f"--junitxml={folder / tier.name}.xml", "-o", "junit_duration_report=total") if tier.is_pytest else ()
        process = subprocess.Popen(
            [*command, *more],
            cwd=ROOT,
            env=os.environ | tier.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        started.append(process)
        assert process.stdout
        for line in process.stdout:
            last = line.strip() or last
            _show(tier, line.rstrip())
        passed = process.wait() == 0
        if not passed:
            break
    seconds = time.monotonic() - before
    _show(tier, f"{'passed' if passed else 'FAILED'} in {seconds:.0f} s")
    return Outcome(tier.name, passed, seconds, last.strip("= ") if tier.is_pytest else "")


def _show(tier: Tier, line: str) -> None:
    with _PRINTING:
        print(f"[{tier.name}] {line}", flush=True)
