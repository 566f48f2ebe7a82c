"""Readings from Prometheus as decisions read them: a value, or the reason why there is none."""

import math
from collections.abc import Mapping
from datetime import timedelta

Reading = float | str
# Between two reconciles of an object with readings, if none of them changes.
PERIOD = timedelta(seconds=15)


def reading(name: str, readings: Mapping[str, Reading]) -> Reading:
    """The value, or why there is none; a number that is not finite counts as none."""
    value = readings.get(name, "not read yet")
    return f"is {value}" if isinstance(value, float) and not math.isfinite(value) else value
