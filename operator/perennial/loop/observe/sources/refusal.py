"""Why the API server refuses a pod of a Job: only Events of the Job controller tell, which are not watched."""

from perennial.decide.kube import JobView
from perennial.kube.client import Cluster
from perennial.kube.resources import CORE_EVENT


async def refusal(cluster: Cluster, namespace: str, job: JobView) -> str | None:
    """The newest message about a pod of the Job that could not be created."""
    fields = f"involvedObject.uid={job.uid},reason=FailedCreate"
    events = [event async for event in cluster.items(CORE_EVENT, namespace, fields=fields)]
    newest = max(events, key=lambda event: event.get("lastTimestamp") or "", default={})
    return newest.get("message", "").removeprefix("Error creating: ").rstrip(".") or None
