"""The API server accepts every manifest and fragment of the documentation."""

import pytest

from perennial_testing.cluster.control_plane import ControlPlane
from perennial_testing.documentation import Block, blocks, objects


@pytest.mark.parametrize("block", [pytest.param(block, id=block.place) for block in blocks() if objects(block)])
def test_the_manifest_is_accepted(block: Block, control_plane: ControlPlane) -> None:
    for document in objects(block):
        control_plane.kubectl(
            "create", "--dry-run=server", "--validate=strict", "-n", "default", "-f", "-", stdin=document
        )
