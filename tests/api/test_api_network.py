"""Who may connect to the pods of a Deployment, on a real API server."""

from pathlib import Path
from typing import Any

from perennial_testing.cluster.control_plane import ControlPlane
from perennial_testing.cluster.node import eventually
from perennial_testing.cluster.operator_process import Operator
from perennial_testing.cluster.story import Story
from perennial_testing.specs.small_manifests import SMALL, manifest

PEERS = [{"podSelector": {}}, {"namespaceSelector": {"matchLabels": {"team": "docs"}}}]


def test_the_network_policy_comes_and_goes_with_the_field(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    def apply(**spec: Any) -> None:
        document = manifest("Deployment", "one", SMALL["Deployment"] | spec)
        control_plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=document)

    def policy() -> Any:
        return control_plane.get("networkpolicy", "one", "-n", namespace)

    Story(control_plane, namespace)  # makes the claims
    with Operator(control_plane, tmp_path / "log", namespace) as operator:
        apply(network={"allowFrom": PEERS})
        (rule,) = eventually(policy, "there is a NetworkPolicy")["spec"]["ingress"]
        assert (rule["from"], rule["ports"]) == (PEERS, [{"port": 8000, "protocol": "TCP"}])
        control_plane.kubectl("delete", "networkpolicy", "one", "-n", namespace)
        eventually(policy, "it is created again")
        apply()
        eventually(lambda: policy() is None, "it is gone with the field")
        assert operator.log.count("deleted NetworkPolicy one") == 1
        # What only the API server knows to be wrong.
        apply(network={"allowFrom": [{"ipBlock": {"cidr": "nonsense"}}]})
        ready = (
            "get",
            "lmd",
            "one",
            "-n",
            namespace,
            "-o",
            "jsonpath={.status.conditions[?(@.type=='Stalled')].message}",
        )
        eventually(lambda: "NetworkPolicy one was refused" in control_plane.kubectl(*ready).stdout, "it is told")
