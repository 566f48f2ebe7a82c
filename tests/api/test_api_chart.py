"""What the chart renders is what the API server accepts, field by field."""

import pytest

from perennial_testing.chart import OTHERS, Values, at, manifests, together
from perennial_testing.cluster.control_plane import ControlPlane

# What takes objects away is left out, so that all that there can be is there.
_FEWER = (
    "crds.",
    "monitoring.",
    "serviceAccount.create",
    "rbac.",
    "podDisruptionBudget.enabled",
    "watchNamespaces",
    "policy.enabled",
)
EVERY_VALUE = together(*(at(path, each.value) for path, each in OTHERS.items() if not path.startswith(_FEWER)))


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
