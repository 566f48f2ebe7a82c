"""What the operator's settings decide for every object."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Defaults:
    """Images of pods whose spec names none."""

    training_image: str
    serving_image: str
