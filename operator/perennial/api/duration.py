"""Durations as GEP-2257 writes them, such as 1h30m."""

import re
from typing import Annotated

from pydantic import Field

_SECONDS = {"h": 3600, "m": 60, "s": 1}

Duration = Annotated[str, Field(pattern=r"^([0-9]{1,5}(h|m|s))+$", max_length=32)]


def seconds(duration: str) -> int:
    """Seconds in a duration such as "1h30m"."""
    return sum(int(number) * _SECONDS[unit] for number, unit in re.findall(r"([0-9]+)([hms])", duration))
