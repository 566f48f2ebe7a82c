"""The operator's own kinds, which must be there before it starts: kopf discovers them only once."""

import asyncio
import logging

from perennial.decide.labels import API_VERSION
from perennial.kube import resources
from perennial.kube.client import ApiError, Cluster
from perennial.process.health import Health

logger = logging.getLogger(__name__)

_PERIOD = 5.0


async def wait_for_definitions(cluster: Cluster, health: Health, period: float = _PERIOD) -> None:
    """Waits until the API server serves the three kinds; until then this replica is not ready."""
    while problem := await _problem(cluster):
        logger.warning("%s", problem)
        health.waits_for = problem
        await asyncio.sleep(period)
    health.waits_for = None


async def _problem(cluster: Cluster) -> str | None:
    """Which kinds the API server does not serve, or why that is unknown."""
    try:
        served = await cluster.serves(API_VERSION)
    except ApiError as error:
        return str(error)
    missing = {resource.plural for resource in resources.OWN.values()} - served
    names = ", ".join(sorted(missing))
    return f"the API server does not serve {names} of {API_VERSION}; install the CRDs" if missing else None
