"""Checks a model folder before torch is imported, which takes seconds."""

import json
from pathlib import Path

from perennial_contract import exits, manifest
from perennial_contract.exits import Failure
from perennial_contract.facts import Facts
from perennial_contract.tasks import TASKS


def check(folder: Path) -> None:
    """Raises Failure where `folder` holds no complete artifact, or one of an unsupported task."""
    path = folder / manifest.NAME
    try:
        facts = Facts.of(json.loads(path.read_bytes()))
    except FileNotFoundError:
        raise Failure(
            "ModelMissing",
            f"{folder} holds no complete artifact ({manifest.NAME} is missing); "
            f"run `python -m perennial_serving fetch --uri URI --digest DIGEST --to {folder}` first",
            exits.MISSING_INPUT,
        ) from None
    except ValueError as error:
        raise Failure("ModelUnreadable", f"{path} is not JSON: {error}", exits.BAD_DATA) from None
    if facts.task not in TASKS:
        message = f"the artifact's task is {facts.task!r}; this runtime serves {', '.join(TASKS)}"
        raise Failure("UnsupportedTask", message, exits.BAD_CONFIGURATION)
