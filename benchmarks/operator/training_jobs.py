"""Our objects under load: small TrainingJobs, and the claims they need."""

from api_client import Api, Manifest
from fresh_control_plane import ROOT, ControlPlane
from measured_system import NAMESPACE

TRAINING_JOBS = f"/apis/perennial.dev/v1alpha1/namespaces/{NAMESPACE}/trainingjobs"
JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
CLAIMS = f"/api/v1/namespaces/{NAMESPACE}/persistentvolumeclaims"


def training_job(name: str) -> Manifest:
    """One that waits for its pod, for there is no node."""
    return {
        "apiVersion": "perennial.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "model": {"task": "text-generation", "architecture": {}},
            "data": {"train": [{"uri": "pvc://corpus/train.txt"}]},
            "output": {"uri": f"pvc://models/{name}"},
        },
    }


async def prepare(api: Api, control_plane: ControlPlane) -> None:
    """Our CRDs, the namespace, the claims."""
    control_plane.define(ROOT / "crds")
    control_plane.kubectl("create", "namespace", NAMESPACE)
    for name in ("corpus", "models"):
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}
        await api.create(CLAIMS, claim)
