"""Held-out examples as the report shows them."""

from typing import Any

EXAMPLES = 8
_CHARACTERS = 400

Sample = dict[str, Any]


def shortened(text: str) -> str:
    return text if len(text) <= _CHARACTERS else text[:_CHARACTERS] + "…"


def worst_and_best(samples: list[Sample], score: str) -> list[Sample]:
    """Half of them with the lowest scores, half with the highest, in that order."""
    ordered = sorted(samples, key=lambda sample: sample[score])
    half = EXAMPLES // 2
    return ordered if len(ordered) <= EXAMPLES else ordered[:half] + ordered[-half:]
