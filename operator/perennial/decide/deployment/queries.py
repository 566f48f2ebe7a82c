"""PromQL queries of the scaling metrics."""

from perennial.api import ModelDeployment
from perennial.api.deployment import QUEUE_DEPTH
from perennial.decide.deployment.runtimes import runtime_of

# The pod's label perennial.dev/deployment on its series (podTargetLabels of the chart's PodMonitor).
DEPLOYMENT_LABEL = "perennial_dev_deployment"


def queries(deployment: ModelDeployment) -> dict[str, str]:
    """Query of each scaling metric, by name."""
    if deployment.spec.autoscaling is None:
        return {}
    return {
        metric.name: metric.query or _queue_depth(deployment)
        for metric in deployment.spec.autoscaling.metrics
        if metric.query or metric.name == QUEUE_DEPTH
    }


def _queue_depth(deployment: ModelDeployment) -> str:
    """Queued requests of all pods, found by their label, or by their name where the scrape keeps no labels of pods."""
    at, metric = deployment.metadata, runtime_of(deployment).queue_depth_metric
    by_label = f'{metric}{{namespace="{at.namespace}",{DEPLOYMENT_LABEL}="{at.name}"}}'
    by_name = f'{metric}{{namespace="{at.namespace}",pod=~"{at.name}-[a-z0-9]+-[a-z0-9]{{5}}"}}'
    return f"sum({by_label} or {by_name})"
