"""Fixtures of the tests under faults."""

from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from perennial_testing.cluster.control_plane import ControlPlane
from perennial_testing.faults.stage import Case, side_by_side


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest, control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Case, "Future[None]"]]:
    """What becomes of the module's cases, AT_ONCE of them side by side."""
    folder = tmp_path_factory.mktemp(request.module.__name__)
    with side_by_side(request, control_plane, folder, request.module.AT_ONCE) as outcomes:
        yield outcomes
