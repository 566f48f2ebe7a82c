"""Which cluster the demo and the tests in real pods use."""

from pathlib import Path

import pytest

from playground import clusters

WORKS, FAILS = "exit 0", "exit 1"


@pytest.mark.parametrize(
    ("programs", "environment", "chosen"),
    [
        pytest.param({}, {}, "local", id="nothing is there"),
        pytest.param({"docker": WORKS}, {}, "local", id="Docker without kind"),
        pytest.param({"kind": WORKS, "docker": FAILS}, {}, "local", id="Docker does not run"),
        pytest.param({"kind": WORKS, "docker": WORKS}, {}, "kind", id="Docker runs"),
        pytest.param({"kind": WORKS, "docker": WORKS}, {"KUBECONFIG": "mine"}, "given", id="a cluster is given"),
        pytest.param(
            {"kind": WORKS, "docker": WORKS},
            {"KUBECONFIG": "mine", "PERENNIAL_CLUSTER": "kind"},
            "kind",
            id="kind is asked for, whatever is given",
        ),
    ],
)
def test_the_cluster_follows_from_what_is_there(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    programs: dict[str, str],
    environment: dict[str, str],
    chosen: str,
) -> None:
    _machine(tmp_path, monkeypatch, programs, environment)
    assert clusters.choose() == chosen


@pytest.mark.parametrize(
    ("programs", "lack"),
    [
        pytest.param({}, "kind is not installed", id="no kind"),
        pytest.param({"kind": WORKS}, "docker is not installed", id="no Docker"),
        pytest.param({"kind": WORKS, "docker": FAILS}, "no Docker engine answers", id="Docker does not run"),
    ],
)
def test_who_asks_for_kind_is_told_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, programs: dict[str, str], lack: str
) -> None:
    _machine(tmp_path, monkeypatch, programs, {"PERENNIAL_CLUSTER": "kind"})
    with pytest.raises(SystemExit, match=lack):
        clusters.choose()


def _machine(
    folder: Path, monkeypatch: pytest.MonkeyPatch, programs: dict[str, str], environment: dict[str, str]
) -> None:
    """A machine that has these programs only, and these variables."""
    for name, script in programs.items():
        program = folder / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
