"""What the chart renders is what the API server accepts, field by field."""

import pytest

from perennial_testing.chart import REMOVING, Values, helm, manifests, others, run_helm
from perennial_testing.cluster.control_plane import ControlPlane, Manifest
from perennial_testing.cluster.node import eventually
from perennial_testing.specs.small_manifests import SMALL, manifest, merged

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


def test_a_release_with_every_value_set_is_installed_and_uninstalled(
    control_plane: ControlPlane, namespace: str
) -> None:
    release = ("--namespace", namespace, "--kubeconfig", control_plane.kubeconfig)
    values = EVERY_VALUE | {"crds": {"enabled": False}}  # they are there, and of no release
    documents = [each for each in manifests(*release, values=values) if not is_hook(each)]
    model = manifest(
        "LanguageModel", "probe", merged(SMALL["LanguageModel"], {"training": {"runtime": {"image": "i"}}})
    )

    def refusal() -> str:
        return control_plane.kubectl("create", "--dry-run=server", "-f", "-", stdin=model, check=False).stderr

    installed = helm("upgrade", "--install", *release, values=values)
    try:
        assert installed.returncode == 0, installed.stderr
        control_plane.kubectl("get", "-f", "-", stdin=documents)
        eventually(lambda: "must begin with one of these: r.example/" in refusal(), "its policies are in force", 60)
    finally:
        run_helm("uninstall", "perennial", *release)
    assert control_plane.kubectl("get", "--ignore-not-found", "-f", "-", stdin=documents).stdout == ""
    eventually(lambda: refusal() == "", "its policies are no longer in force", 60)


def is_hook(document: Manifest) -> bool:
    return "helm.sh/hook" in document["metadata"].get("annotations", {})
