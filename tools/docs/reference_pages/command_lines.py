"""The reference of command lines: what each program says to --help."""

import os
import subprocess
import sys

# Of each program the arguments that come before --help.
PROGRAMS = {
    "The operator": ("perennial",),
    "Artifacts": ("perennial_contract",),
    "Artifacts: `seal`": ("perennial_contract", "seal"),
    "Artifacts: `verify`": ("perennial_contract", "verify"),
}


def page() -> str:
    """The page; programs are asked with a terminal of 92 columns and without settings in the environment."""
    sections = [f"## {title}\n\n```text\n{_help(*program)}```\n" for title, program in PROGRAMS.items()]
    return "\n".join(
        [
            "# Command lines\n",
            "The operator's image runs `python -m perennial`; the chart sets its flags. "
            "`python -m perennial_contract` seals and verifies artifacts that "
            "[other programs](../guides/runtimes.md) make.\n",
            *sections,
        ]
    )


def _help(module: str, *arguments: str) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PERENNIAL_")}
    command = [sys.executable, "-m", module, *arguments, "--help"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment | {"COLUMNS": "92", "NO_COLOR": "1"}
    )
    return done.stdout
