"""A part of the sweep, spread over the whole life of a model; `make faults` plays all of it."""

import pytest

from perennial_testing.cluster.control_plane import ControlPlane
from perennial_testing.faults.sweep import FAULTS, KILLS, End, play, points, sweep

EVERY = 23


@pytest.fixture(scope="module")
def clean(control_plane: ControlPlane) -> End:
    end = play(control_plane.kubeconfig, control_plane.kubectl_path, None, None)
    assert not end.trouble
    return end


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "faults", [list(KILLS), [fault for fault in FAULTS if fault not in KILLS]], ids=["kills", "errors"]
)
def test_whatever_happens_at_a_write_the_end_is_the_same(
    control_plane: ControlPlane, clean: End, faults: list[str]
) -> None:
    chosen = points(clean.writes - 5, faults, EVERY)  # other lives may be a little shorter
    ends = list(sweep(control_plane, chosen, clean.state, workers=4))
    assert {str(point): end.trouble for point, end in ends if end.trouble} == {}
    assert {point.fault for point, end in ends if end.met} == set(faults)
