"""What the chart renders is what the API server accepts, field by field."""

import pytest

from perennial_testing.chart import REMOVING, Values, manifests, others
from perennial_testing.cluster.control_plane import ControlPlane

# All that there can be without the CRDs of the Prometheus operator.
EVERY_VALUE = others(*REMOVING, "monitoring.")


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({}, id="by default"),
        pytest.param(EVERY_VALUE, id="with every value set"),
        pytest.param({"watchNamespaces": ["default"]}, id="for one namespace"),
    ],
)
def test_the_api_server_accepts_what_is_rendered(control_plane: ControlPlane, values: Values) -> None:
    control_plane.kubectl(
        *("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"),
        stdin=[each for each in manifests(values=values) if each["kind"] != "CustomResourceDefinition"],
    )
