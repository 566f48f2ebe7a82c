"""How often a child is written again that others change, and what is said about it.

Pure: times are arguments, in seconds of one monotonic clock.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from perennial.decide.labels import FIELD_MANAGER
from perennial.decide.outcome import Event, Manifest
from perennial.kube.field_managers import manager_of
from perennial.kube.keys import Key
from perennial.kube.manifests import FieldPath, as_text, hash_of

# The first repair is immediate; the pause before the next one doubles from FIRST_PAUSE to LONGEST_PAUSE.
FIRST_PAUSE = 5.0
LONGEST_PAUSE = 300.0
# Longer than the longest pause, or a lasting fight would begin anew after it.
FORGOTTEN_AFTER = 2 * LONGEST_PAUSE


class Child(NamedTuple):
    """A child of one of our objects."""

    owner: Key
    kind: str
    name: str


@dataclass(frozen=True)
class Repairs:
    """The writes of one manifest to a child; each but the first one repairs what others changed.

    digest: of the manifest.
    writes: known ones.
    time: of the last one.
    rewritten: field that the response to the last one lacked, as admission had changed it.
    """

    digest: str | None
    writes: int = 0
    time: float = 0.0
    rewritten: FieldPath | None = None

    @property
    def number(self) -> int:
        """Number of repairs."""
        return max(self.writes - 1, 0)

    @property
    def is_reported(self) -> bool:
        """Whether the next repair is reported: the second, third, fifth and so on, at twice the distance each."""
        return self.number > 0 and self.number.bit_count() == 1

    def wait(self, now: float) -> float:
        """Seconds until the next write, 0 if it may be now."""
        if not self.number:
            return 0.0
        pause = min(FIRST_PAUSE * 2.0 ** min(self.number - 1, 16), LONGEST_PAUSE)
        return max(self.time + pause - now, 0.0)

    def after_write(self, now: float, rewritten: FieldPath | None) -> "Repairs":
        """The manifest was written, and the response lacked this field."""
        return replace(self, writes=self.writes + 1, time=now, rewritten=rewritten)

    def is_forgotten(self, now: float) -> bool:
        """Whether the last write is too long ago to count."""
        return now - self.time > FORGOTTEN_AFTER


class RepairMemory:
    """The repairs of each child, until its owner is gone, or it has not been written for a while."""

    def __init__(self) -> None:
        self._repairs: dict[Child, Repairs] = {}

    def of(self, child: Child, digest: str | None, applied: str | None, now: float) -> Repairs:
        """Those of the manifest with this digest; the child was applied from the one with the other digest."""
        known = self._repairs.get(child)
        if known and known.digest == digest and not known.is_forgotten(now):
            return known
        return Repairs(digest, writes=int(digest == applied))

    def put(self, child: Child, repairs: Repairs, now: float) -> None:
        """Remembers a write, and forgets the old ones."""
        self._repairs = {each: known for each, known in self._repairs.items() if not known.is_forgotten(now)}
        self._repairs[child] = repairs

    def forget(self, owner: Key) -> None:
        """The owner is gone."""
        for child in [child for child in self._repairs if child.owner == owner]:
            del self._repairs[child]

    def repaired(self, now: float) -> Iterator[tuple[Child, int]]:
        """The children that were repaired of late, and how often."""
        for child, known in self._repairs.items():
            if known.number and not known.is_forgotten(now):
                yield child, known.number


def rewritten_event(child: Child, observed: Manifest, path: FieldPath, repairs: Repairs) -> Event:
    """Says which field of a child is changed again and again, and by whom; never its value, which may be private."""
    return Event(
        "ChildRewritten",
        f"{child.kind} {child.name}: {as_text(path) or 'the object'} is changed after each write by "
        f"{_writer(observed, path, repairs)}. The operator repeats its write ever less often, up to every "
        f"{LONGEST_PAUSE / 60:.0f} minutes; let one of the two leave the field alone.",
    )


def _writer(observed: Manifest, path: FieldPath, repairs: Repairs) -> str:
    if path == repairs.rewritten:  # admission leaves no field manager of its own
        return "an admission webhook or policy"
    if manager := manager_of(observed, path, FIELD_MANAGER):
        return f"the field manager {manager}"
    if hash_of(observed) != repairs.digest:
        return "another operator of Perennial"
    return "a client that removed it"
