"""Pods that a Job lacks: since when that is worth a look, and what a refusal by the API server means."""

from datetime import datetime, timedelta

from perennial.decide.kube import JobView
from perennial.decide.pods.diagnosis import Trouble

# The pods usually exist soon after the start of the Job; a shorter period would cost writes without news.
PATIENCE = timedelta(seconds=30)


def is_overdue(job: JobView, now: datetime) -> bool:
    """Whether a pod that is still absent has been so for longer than it usually takes to create one."""
    return job.start_time is not None and now - job.start_time >= PATIENCE


def refused(refusal: str, resources: str) -> Trouble:
    """Why the API server refuses a pod; `resources` is the field of the spec that sets what the pod requests."""
    if "exceeded quota" in refusal:
        message = f"{refusal}. Raise the quota of the namespace, or request less in {resources}."
        return Trouble("QuotaExceeded", message)
    return Trouble("PodRefused", f"{refusal}. Correct the spec, or the policy that refuses its pods.")
