"""How the pods of one training find each other: their number, their names and their addresses.

One pod per node. The Job's index says which is which; the pod of index 0 leads, and alone leaves progress and result.
"""

from perennial.api import TrainingJob
from perennial.decide.kube import PodView
from perennial.decide.labels import JOB_COMPLETION_INDEX, MANAGED_BY, TRAINING_JOB
from perennial.decide.metadata import child
from perennial.decide.outcome import Manifest
from perennial_contract import pod


def nodes(job: TrainingJob) -> int:
    """Pods that train together."""
    return job.spec.training.compute.nodes


def variables(job: TrainingJob) -> dict[str, str]:
    """What each pod is told, by the names that PyTorch uses where it has one; the Job adds JOB_COMPLETION_INDEX."""
    name = job.metadata.name
    return {
        pod.MASTER_ADDRESS: f"{name}-0.{name}" if nodes(job) > 1 else "localhost",
        pod.MASTER_PORT: str(pod.RENDEZVOUS_PORT),
        pod.NODES: str(nodes(job)),
        pod.PROCESSES_PER_NODE: str(max(1, job.spec.training.compute.gpus_per_node)),
    }


def service(job: TrainingJob) -> Manifest:
    """The headless Service that gives each pod its name in the DNS, also before it is ready."""
    spec = {
        "clusterIP": "None",
        "publishNotReadyAddresses": True,
        "selector": MANAGED_BY | {TRAINING_JOB: job.metadata.name},
    }
    return child(job, "v1", "Service", job.metadata.name) | {"spec": spec}


def index(view: PodView) -> int:
    """Completion index of the pod."""
    return int(view.labels.get(JOB_COMPLETION_INDEX, 0))
