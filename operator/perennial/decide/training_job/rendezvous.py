"""Rendezvous of the pods of a training: their number, names and addresses.

There is one pod per node. The pod with completion index 0 leads; only it reports progress and a result.
"""

from perennial.api import TrainingJob
from perennial.decide.kube import PodView
from perennial.decide.labels import JOB_COMPLETION_INDEX, MANAGED_BY, TRAINING_JOB
from perennial.decide.metadata import child
from perennial.decide.outcome import Manifest
from perennial_contract import pod


def nodes(job: TrainingJob) -> int:
    """Number of pods that train together."""
    return job.spec.training.compute.nodes


def variables(job: TrainingJob) -> dict[str, str]:
    """Environment variables of each pod, with PyTorch's names where it has one; the Job adds JOB_COMPLETION_INDEX."""
    name = job.metadata.name
    return {
        pod.MASTER_ADDRESS: f"{name}-0.{name}" if nodes(job) > 1 else "localhost",
        pod.MASTER_PORT: str(pod.RENDEZVOUS_PORT),
        pod.NODES: str(nodes(job)),
        pod.PROCESSES_PER_NODE: str(max(1, job.spec.training.compute.gpus_per_node)),
    }


def service(job: TrainingJob) -> Manifest:
    """The headless Service that gives each pod a DNS name, before it is ready as well."""
    spec = {
        "clusterIP": "None",
        "publishNotReadyAddresses": True,
        "selector": MANAGED_BY | {TRAINING_JOB: job.metadata.name},
    }
    return child(job, "v1", "Service", job.metadata.name) | {"spec": spec}


def index(view: PodView) -> int:
    """Completion index of the pod."""
    return int(view.labels.get(JOB_COMPLETION_INDEX, 0))
