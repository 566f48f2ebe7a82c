"""How many CPUs this container may use; torch and others would take every core of the node."""

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def limit_threads(processes: int = 1) -> None:
    """Sets up the threads of OpenMP (torch) and Rayon (tokenizers), which listen when they load: call it before that.

    So many processes share the container's CPUs. What is set already stays.
    """
    for name in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ.setdefault(name, str(max(1, allowed() // processes)))
    # Threads that spin while they wait make a step many times slower where other pods want the same cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def allowed(cgroup: Path = CGROUP) -> int:
    """CPUs by affinity and cgroup limit, whichever is lower; a fraction counts as a whole CPU."""
    affinity = len(os.sched_getaffinity(0))
    limit = _cgroup_v2(cgroup) or _cgroup_v1(cgroup)
    return min(affinity, max(1, math.ceil(limit))) if limit else affinity


def _cgroup_v2(cgroup: Path) -> float | None:
    quota, _, period = _read(cgroup / "cpu.max").partition(" ")
    return int(quota) / int(period) if quota.isdigit() else None


def _cgroup_v1(cgroup: Path) -> float | None:
    quota = _read(cgroup / "cpu" / "cpu.cfs_quota_us")
    period = _read(cgroup / "cpu" / "cpu.cfs_period_us")
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else None  # -1: no limit


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
