"""The PromQL behind the scaling metrics."""

from perennial.api import ModelDeployment
from perennial.api.deployment import QUEUE_DEPTH
from perennial_contract.metrics import REQUESTS_WAITING

# By runtime: requests that wait, over all pods of the apps/v1 Deployment. The pod's name tells them apart
# whatever labels the Prometheus adds, as `namespace` and `pod` are what every scrape configuration sets.
_QUEUE_DEPTH = {
    "transformers": f"sum({REQUESTS_WAITING.name}"
    '{{namespace="{namespace}",pod=~"{name}-[a-z0-9]+-[a-z0-9]{{5}}"}})'
}


def queries(deployment: ModelDeployment) -> dict[str, str]:
    """By name of the scaling metric its PromQL."""
    if deployment.spec.autoscaling is None:
        return {}
    template = _QUEUE_DEPTH[deployment.spec.runtime.name]
    at = deployment.metadata
    return {
        metric.name: metric.query or template.format(namespace=at.namespace, name=at.name)
        for metric in deployment.spec.autoscaling.metrics
        if metric.query or metric.name == QUEUE_DEPTH
    }
