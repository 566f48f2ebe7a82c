"""The progress that a training pod prints: lines of JSON among its other output, which is not trusted."""

import json

from pydantic import ValidationError

from perennial.api.training_job import Progress

_OPTIONAL = ("loss", "validationLoss", "tokensPerSecond", "etaSeconds")


def last_progress(log: str, before: Progress | None = None) -> Progress | None:
    """The last readable report in the log, with the last validation loss, from the report before if need be."""
    reports = [report for line in log.splitlines() if (report := _report(line))]
    if not reports:
        return None
    losses = [r.validation_loss for r in (before, *reports) if r and r.validation_loss is not None]
    return reports[-1].model_copy(update={"validation_loss": losses[-1] if losses else None})


def _report(line: str) -> Progress | None:
    if not line.startswith("{"):
        return None
    try:
        fields = json.loads(line, parse_constant=lambda _: None)
        if fields.get("perennial") != "progress":
            return None
        known = {name: fields.get(name) for name in ("step", "maxSteps", *_OPTIONAL)}
        return Progress.model_validate(known, strict=True)
    except (ValueError, ValidationError, AttributeError, RecursionError):
        return None
