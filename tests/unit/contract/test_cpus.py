"""CPUs that a container may use, from the cgroup files as kernels write them."""

import os

import pytest

from perennial_contract import cpus


@pytest.mark.parametrize(
    ("files", "allowed"),
    [
        ({}, 64),
        ({"cpu.max": "max 100000"}, 64),
        ({"cpu.max": "150000 100000"}, 2),
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu.max": "9900000 100000"}, 64),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 64),
        ({"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}, 3),
    ],
)
def test_allowed(tmp_path, monkeypatch, files, allowed):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(64)))
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content + "\n")
    assert cpus.allowed(tmp_path) == allowed
