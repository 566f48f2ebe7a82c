"""One example, and what its content decides."""

import hashlib
import json
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Example:
    """Texts by their role, such as {"text": …}; weight: how often it is seen while others are seen once."""

    roles: dict[str, str]
    weight: float = 1.0

    def with_roles(self, roles: dict[str, str]) -> "Example":
        return replace(self, roles=roles)

    @property
    def content(self) -> str:
        """Of equal examples the same, whatever their weight."""
        return "\0".join(self.roles.values()) if len(self.roles) == 1 else json.dumps(self.roles, sort_keys=True)

    def digest(self) -> bytes:
        return hashlib.sha256(self.content.encode()).digest()


def share(text: str, offset: int = 0) -> float:
    """A number in [0, 1) that follows from the text alone; another one for each offset (0 to 3)."""
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[8 * offset : 8 * offset + 8], "big") / 2**64
