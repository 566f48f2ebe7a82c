"""The protocol of where an artifact comes from."""

from pathlib import Path
from typing import Protocol


class ArtifactSource(Protocol):
    def names(self) -> set[str]:
        """The names in the artifact's top folder."""

    def copy(self, partial: Path) -> None:
        """Copies the artifact to `partial`, which may hold what an interrupted attempt left.

        Raises ValueError where the artifact is not the one that was trained, and OSError where it can't be copied.
        """
