"""The apps/v1 Deployment, Service and PodDisruptionBudget that serve a model."""

from typing import Any

from perennial.api import ModelDeployment
from perennial.decide.deployment.observed import Observed
from perennial.decide.labels import DEPLOYMENT, GENERATION, MANAGED_BY, MODEL_VERSION
from perennial.decide.metadata import child, labels_of
from perennial.decide.outcome import Manifest
from perennial.decide.pods.template import Volumes, container, pod_template
from perennial_contract import pod

MODEL_FOLDER = f"{pod.MOUNTS}/{pod.MODEL}"
PROGRESS_DEADLINE_SECONDS = 600


def selector(deployment: ModelDeployment) -> dict[str, str]:
    """The labels by which the pods are found; they never change."""
    return MANAGED_BY | {DEPLOYMENT: deployment.metadata.name}


def children(deployment: ModelDeployment, seen: Observed, replicas: int) -> tuple[Manifest, ...]:
    """All objects that serve the model."""
    return _apps(deployment, seen, replicas), _service(deployment), _disruption_budget(deployment)


def _apps(deployment: ModelDeployment, seen: Observed, replicas: int) -> Manifest:
    """A rolling update that never has fewer ready pods than before."""
    spec = {
        "replicas": replicas,
        "paused": False,  # said, as it would else stay as someone has set it
        "revisionHistoryLimit": 2,
        "progressDeadlineSeconds": PROGRESS_DEADLINE_SECONDS,
        "selector": {"matchLabels": selector(deployment)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": _pod(deployment, seen),
    }
    manifest = child(deployment, "apps/v1", "Deployment", deployment.metadata.name) | {"spec": spec}
    manifest["metadata"]["annotations"] = {GENERATION: str(deployment.metadata.generation)}
    return manifest


def _service(deployment: ModelDeployment) -> Manifest:
    port = {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}
    spec = {"type": "ClusterIP", "selector": selector(deployment), "ports": [port]}
    return child(deployment, "v1", "Service", deployment.metadata.name) | {"spec": spec}


def _disruption_budget(deployment: ModelDeployment) -> Manifest:
    """Drains take one pod at a time, and may take one that is not ready (KEP-3017)."""
    spec = {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": selector(deployment)},
    }
    return child(deployment, "policy/v1", "PodDisruptionBudget", deployment.metadata.name) | {"spec": spec}


def _pod(deployment: ModelDeployment, seen: Observed) -> Manifest:
    spec = deployment.spec
    image = spec.runtime.image or seen.defaults.serving_image
    storage = Volumes.of([spec.model.uri], [spec.model.credentials])
    labels = labels_of(deployment, {DEPLOYMENT: deployment.metadata.name, MODEL_VERSION: str(spec.model.version)})
    return pod_template(
        labels,
        [_serve(deployment, image)],
        [*storage.volumes(read_only=True), {"name": "model", "emptyDir": {}}],
        terminationGracePeriodSeconds=pod.SERVING_GRACE_SECONDS,
        initContainers=[_fetch(deployment, image, storage)],
    )


def _fetch(deployment: ModelDeployment, image: str, storage: Volumes) -> Manifest:
    """Copies the artifact and verifies each file's digest, so that only what was trained is loaded."""
    model = deployment.spec.model
    arguments = ["--uri", model.uri, "--digest", model.digest, "--to", MODEL_FOLDER]
    if model.credentials:
        arguments += ["--secret", model.credentials.secret_name]
    mounts = [*storage.mounts(read_only=True), {"name": "model", "mountPath": MODEL_FOLDER}]
    return _container(deployment, "fetch", image, ["fetch", *arguments], mounts)


def _serve(deployment: ModelDeployment, image: str) -> Manifest:
    model, runtime = deployment.spec.model, deployment.spec.runtime
    arguments = {
        "--model": MODEL_FOLDER,
        "--name": model.name,
        "--version": model.version,
        "--port": pod.SERVING_PORT,
        "--max-batch": runtime.max_batch,
        "--max-waiting": runtime.max_waiting,
        "--linger": pod.ENDPOINT_LAG_SECONDS,
        "--grace-period": pod.SERVING_GRACE_SECONDS,
    }
    flat = [f"{flag}={value}" for flag, value in arguments.items()]  # a value may begin with a dash
    mounts: list[Manifest] = [{"name": "tmp", "mountPath": "/tmp"}]
    mounts += [{"name": "model", "mountPath": MODEL_FOLDER, "readOnly": True}]
    return _container(deployment, "serve", image, ["serve", *flat], mounts) | {
        "ports": [{"name": "http", "containerPort": pod.SERVING_PORT, "protocol": "TCP"}],
        "startupProbe": _probe(pod.LIVENESS_PATH, 2) | {"failureThreshold": 300},
        "readinessProbe": _probe(pod.READINESS_PATH, 2) | {"failureThreshold": 2},
        "livenessProbe": _probe(pod.LIVENESS_PATH, 10) | {"failureThreshold": 6},
    }


def _container(
    deployment: ModelDeployment, name: str, image: str, arguments: list[str], mounts: list[Manifest]
) -> Manifest:
    """The containers run one after the other, so that the same resources for each cost nothing more."""
    command = ["python", "-m", "perennial_serving", *arguments]
    return container(name, image, command, mounts, deployment.spec.runtime.resources.to_wire())


def _probe(path: str, period: int) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": "http", "scheme": "HTTP"}, "periodSeconds": period, "timeoutSeconds": 5}
