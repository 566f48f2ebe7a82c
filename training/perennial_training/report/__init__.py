"""A report on a training: its curves, the model's outputs on held-out examples, and the tokens they depend on."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from perennial_contract.exits import Failure
from perennial_contract.facts import TrainingFacts
from perennial_contract.report import Report
from perennial_training.report.attributions import attributions
from perennial_training.report.page import page
from perennial_training.tasks.objective import HeldOut, Objective


def explain(
    task: Objective[Any, HeldOut],
    model: PreTrainedModel,
    held_out: HeldOut,
    facts: TrainingFacts,
    curve: list[dict[str, float]],
    report: Report,
) -> dict[str, Any]:
    """The report as plain data. A part that fails becomes a note: it must not fail the training."""
    explanation: dict[str, Any] = {"model": facts.name, "task": facts.task, "curve": curve, "notes": []}
    known = facts.document()
    explanation |= {name: known[name] for name in ("metrics", "baseline", "trainingLoss", "bestStep")}
    model.train(False)
    parts: dict[str, Callable[[], Any]] = {
        "findings": lambda: task.findings(model, held_out),
        "attributions": lambda: attributions(task.prepared.vocabulary, model, task.questions(model, held_out)),
    }
    for name, part in parts.items():
        try:
            explanation[name] = part()
        except Failure:  # a SIGTERM
            raise
        except Exception as error:  # any error of a model that is not ours
            explanation["notes"].append(f"{name} could not be computed: {type(error).__name__}: {error}")
            report(f"explanation: {explanation['notes'][-1]}")
    return explanation


def write(explanation: dict[str, Any], folder: Path) -> None:
    """explanation.json, and index.html as a self-contained page."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "explanation.json").write_text(json.dumps(explanation, indent=1, ensure_ascii=False, allow_nan=False))
    (folder / "index.html").write_text(page(explanation))
