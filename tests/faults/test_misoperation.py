"""Good and bad specs, one after the other, on one operator; `make fuzz` plays many more."""

from pathlib import Path

from perennial_testing.cluster.control_plane import ControlPlane
from perennial_testing.misoperation.arena import Arena
from perennial_testing.misoperation.steps import drawn

SEQUENCES, SEED = 60, 4


async def test_whatever_was_before_an_object_ends_as_a_fresh_one(control_plane: ControlPlane, tmp_path: Path) -> None:
    sequences = drawn(SEQUENCES, SEED)
    assert len(sequences) >= 50
    async with Arena(control_plane, tmp_path / "log", side_by_side=24).open() as arena:
        await arena.play(sequences, lambda findings: None)
    assert arena.findings.played == len(sequences)
    assert not arena.findings.violations, "\n".join(arena.findings.violations)
