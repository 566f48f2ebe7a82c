"""A report on what was learned: how the training went, what the model says, and which tokens it says it for."""

import json
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from perennial_contract.exits import Failure
from perennial_training.data.sources import Say
from perennial_training.report.attributions import attributions
from perennial_training.report.findings import findings
from perennial_training.report.page import page
from perennial_training.tasks.objective import Objective


def explain(
    task: Objective,
    model: PreTrainedModel,
    held_out: Any,
    facts: dict[str, Any],
    curve: list[dict[str, float]],
    say: Say,
) -> dict[str, Any]:
    """The report as plain data. A part that can't be made is told as a note: a training must not fail for it."""
    report: dict[str, Any] = {"model": facts["name"], "task": facts["task"], "curve": curve, "notes": []}
    report |= {name: facts[name] for name in ("metrics", "baseline", "trainingLoss", "bestStep")}
    for name, part in (("findings", findings), ("attributions", attributions)):
        try:
            report[name] = part(task, model, held_out)
        except Failure:  # a SIGTERM
            raise
        except Exception as error:  # whatever a model that is not ours does under a microscope
            report["notes"].append(f"{name} could not be made: {type(error).__name__}: {error}")
            say(f"explanation: {report['notes'][-1]}")
    return report


def write(report: dict[str, Any], folder: Path) -> None:
    """explanation.json and index.html, which needs nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "explanation.json").write_text(json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False))
    (folder / "index.html").write_text(page(report))
