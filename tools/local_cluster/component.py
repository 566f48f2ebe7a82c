"""What a component is, and how its arguments are written."""

from dataclasses import dataclass
from pathlib import Path

from cluster import Cluster
from network import Link


@dataclass(frozen=True)
class Component:
    """One process. `program` is a path, or the name of one of our binaries.

    One that `needs_api` is started when the API server answers and knows its rights. One with a `link` has a network
    namespace of its own at the other end.
    """

    name: str
    program: str
    arguments: tuple[str, ...]
    needs_api: bool = True
    link: Link | None = None


def flags(**values: object) -> tuple[str, ...]:
    return tuple(f"--{name.replace('_', '-')}={value}" for name, value in values.items())


def key_pair(cluster: Cluster, name: str) -> tuple[Path, Path, Path]:
    """Certificate, key and authority."""
    folder = cluster.path("certificates")
    return folder / f"{name}.crt", folder / f"{name}.key", folder / "ca.crt"
