"""Defaults from the operator's settings."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Defaults:
    """Images of pods without one in their spec."""

    training_image: str
    serving_image: str
