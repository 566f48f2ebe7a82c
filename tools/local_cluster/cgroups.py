"""The cgroup under which a node's pods live, in every hierarchy of cgroup v1 or in the one of v2."""

import os
import time
from pathlib import Path

from cluster import Node

MOUNT = Path("/sys/fs/cgroup")
PATIENCE_SECONDS = 10


def create(node: Node) -> None:
    for root in _roots():
        (root / node.cgroup).mkdir(exist_ok=True)


def remove(node: Node) -> None:
    """Removes the node's cgroups. The processes in them must have been killed before."""
    for root in _roots():
        _remove_tree(root / node.cgroup)


def _roots() -> list[Path]:
    if (MOUNT / "cgroup.controllers").exists():
        return [MOUNT]
    return [path for path in MOUNT.iterdir() if path.is_dir() and not path.is_symlink()]


def _remove_tree(folder: Path) -> None:
    for path, _, _ in os.walk(folder, topdown=False):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not _removed(path):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{path} still holds processes: {Path(path, 'cgroup.procs').read_text().split()}")
            time.sleep(0.05)


def _removed(path: str) -> bool:
    try:
        os.rmdir(path)
    except FileNotFoundError:
        return True
    except OSError:  # busy: the kernel is still about to bury the last process
        return False
    return True
