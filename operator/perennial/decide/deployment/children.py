"""The objects that serve a model: an apps/v1 Deployment, a Service, a PodDisruptionBudget."""

from perennial.api import ModelDeployment
from perennial.decide.deployment import update
from perennial.decide.deployment.observed import Observed
from perennial.decide.deployment.runtimes import runtime_of
from perennial.decide.deployment.workload import PORT_NAME, revision, selector
from perennial.decide.metadata import child
from perennial.decide.outcome import Manifest


def children(deployment: ModelDeployment, observed: Observed, replicas: int, *, held: bool) -> tuple[Manifest, ...]:
    """All objects that serve the model."""
    workload = revision(deployment, *update.template(deployment, observed, held=held), replicas)
    return workload, _service(deployment), _disruption_budget(deployment)


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
