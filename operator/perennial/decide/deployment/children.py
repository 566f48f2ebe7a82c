"""The objects that serve a model: an apps/v1 Deployment, a Service, a PodDisruptionBudget, a NetworkPolicy."""

from collections.abc import Iterator

from perennial.api import ModelDeployment
from perennial.decide.deployment import update
from perennial.decide.deployment.observed import Observed
from perennial.decide.deployment.runtimes import runtime_of
from perennial.decide.deployment.workload import PORT_NAME, revision, selector
from perennial.decide.metadata import child
from perennial.decide.outcome import Manifest, Reference


def children(deployment: ModelDeployment, observed: Observed, replicas: int, *, held: bool) -> tuple[Manifest, ...]:
    """All objects that serve the model; no pod starts before the policy of its network."""
    workload = revision(deployment, *update.template(deployment, observed, held=held), replicas)
    return *_network_policies(deployment), workload, _service(deployment), _disruption_budget(deployment)


def leftovers(deployment: ModelDeployment, observed: Observed) -> tuple[Reference, ...]:
    """Objects of an earlier spec."""
    return () if deployment.spec.network else observed.network_policies


def url(deployment: ModelDeployment) -> str:
    """URL of the Service inside the cluster, as clients of the task expect it."""
    at = deployment.metadata
    return f"http://{at.name}.{at.namespace}.svc{runtime_of(deployment).url_path(deployment.spec.model.task)}"


def _service(deployment: ModelDeployment) -> Manifest:
    port = {"name": PORT_NAME, "port": 80, "targetPort": PORT_NAME, "protocol": "TCP"}
    spec = {"type": "ClusterIP", "selector": selector(deployment), "ports": [port]}
    return child(deployment, "v1", "Service", deployment.metadata.name) | {"spec": spec}


def _disruption_budget(deployment: ModelDeployment) -> Manifest:
    """A drain takes one pod at a time, and any pod that is not ready (KEP-3017)."""
    spec = {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": selector(deployment)},
    }
    return child(deployment, "policy/v1", "PodDisruptionBudget", deployment.metadata.name) | {"spec": spec}


def _network_policies(deployment: ModelDeployment) -> Iterator[Manifest]:
    """The kubelet's probes always pass. What the pods connect to is not limited."""
    if deployment.spec.network is None:
        return
    peers = [peer.model_dump(by_alias=True, exclude_none=True) for peer in deployment.spec.network.allow_from]
    port = {"port": runtime_of(deployment).port, "protocol": "TCP"}
    spec = {
        "podSelector": {"matchLabels": selector(deployment)},
        "policyTypes": ["Ingress"],
        "ingress": [{"ports": [port], "from": peers}],
    }
    yield child(deployment, "networking.k8s.io/v1", "NetworkPolicy", deployment.metadata.name) | {"spec": spec}
