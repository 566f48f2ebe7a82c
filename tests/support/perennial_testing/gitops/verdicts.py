"""What GitOps tools make of an object, by their own libraries: kstatus (Flux), and Lua as Argo CD runs it."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perennial_testing import go_program

SOURCES = Path(__file__).parent / "verdicts"
SCRIPT = Path(__file__).parents[4] / "charts" / "perennial" / "argocd-health.lua"


@dataclass(frozen=True)
class Verdict:
    """The status by kstatus and the health in Argo CD, each with its message."""

    kstatus: str
    health: str
    kstatus_message: str
    health_message: str


def verdicts(objects: Sequence[dict[str, Any]]) -> list[Verdict]:
    """One for each object."""
    program = go_program.built(SOURCES, "perennial.dev/tests/verdicts", usually="1 min")
    done = subprocess.run((program, SCRIPT), input=json.dumps(objects), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [
        Verdict(each["kstatus"], each["health"], each["kstatusMessage"], each["healthMessage"])
        for each in json.loads(done.stdout)
    ]
