"""What was asked of the API server, by its audit log."""

import json
from dataclasses import dataclass
from pathlib import Path

_WRITES = {"create", "update", "patch", "delete", "deletecollection"}


@dataclass(frozen=True)
class Count:
    """Requests that were answered, and how many of them were writes; those of Leases are in neither."""

    requests: int
    writes: int


class AuditLog:
    """Counts from where it was last looked at."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.skip()

    def skip(self) -> None:
        """Leaves out what is there."""
        self._offset = self._path.stat().st_size

    def count(self, *agents: str) -> Count:
        """The requests since the last look by whose names begin so; by everybody if none is given."""
        marks = [f'"userAgent":"{agent}'.encode() for agent in agents]
        requests = writes = 0
        for line in self._lines():
            if marks and not any(mark in line for mark in marks):
                continue
            entry = json.loads(line)
            if entry["stage"] == "ResponseComplete" and entry.get("objectRef", {}).get("resource") != "leases":
                requests += 1
                writes += entry["verb"] in _WRITES
        return Count(requests, writes)

    def _lines(self) -> list[bytes]:
        if self._path.stat().st_size < self._offset:
            raise SystemExit("The audit log was rotated while it was counted: measure fewer objects at once.")
        with self._path.open("rb") as file:
            file.seek(self._offset)
            lines = file.readlines()
        if lines and not lines[-1].endswith(b"\n"):  # it is being written
            lines.pop()
        self._offset += sum(map(len, lines))
        return lines
