"""The apps/v1 Deployment of one revision, built from what its runtime says."""

from perennial.api import ModelDeployment
from perennial.decide.defaults import Defaults
from perennial.decide.deployment.runtimes import runtime_of
from perennial.decide.deployment.runtimes.runtime import API_KEYS_FOLDER, MODEL_FOLDER, Probe
from perennial.decide.labels import DEPLOYMENT, GENERATION, MANAGED_BY, MODEL_VERSION
from perennial.decide.metadata import child, labels_of
from perennial.decide.outcome import Manifest
from perennial.decide.pods.overlay import overlaid
from perennial.decide.pods.template import SECRET_MODE, Volumes, container, pod_template
from perennial_contract import pod

PROGRESS_DEADLINE_SECONDS = 600
PORT_NAME = "http"
_TMP_MOUNT: Manifest = {"name": "tmp", "mountPath": "/tmp"}
_MODEL_MOUNT: Manifest = {"name": "model", "mountPath": MODEL_FOLDER}
_API_KEYS_MOUNT: Manifest = {"name": "secret-api-keys", "mountPath": API_KEYS_FOLDER, "readOnly": True}


def selector(deployment: ModelDeployment) -> dict[str, str]:
    """Labels that select the pods; immutable in the apps/v1 Deployment."""
    return MANAGED_BY | {DEPLOYMENT: deployment.metadata.name}


def revision(deployment: ModelDeployment, template: Manifest, annotations: dict[str, str], replicas: int) -> Manifest:
    """A rolling update that never has fewer ready pods than before, unless there is no room for another pod."""
    surge = deployment.spec.rollout.max_surge
    spec = {
        "replicas": replicas,
        "paused": False,  # explicit: an omitted field keeps what somebody has set
        "revisionHistoryLimit": 2,
        "progressDeadlineSeconds": PROGRESS_DEADLINE_SECONDS,
        "selector": {"matchLabels": selector(deployment)},
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": 0 if surge else 1, "maxSurge": surge},
        },
        "template": template,
    }
    manifest = child(deployment, "apps/v1", "Deployment", deployment.metadata.name) | {"spec": spec}
    manifest["metadata"]["annotations"] = {GENERATION: str(deployment.metadata.generation)} | annotations
    return manifest


def serving_pod(deployment: ModelDeployment, defaults: Defaults) -> Manifest:
    """The pods of the spec with these defaults."""
    model = deployment.spec.model
    labels = {DEPLOYMENT: deployment.metadata.name, MODEL_VERSION: str(model.version)}
    serve = _serve(deployment, defaults)
    image = runtime_of(deployment).fetch_image(deployment, defaults)
    fetched = [] if image is None else [model]
    storage = Volumes.of([each.uri for each in fetched], [each.credentials for each in fetched])
    template = pod_template(
        labels_of(deployment, labels),
        [serve],
        [*storage.volumes(read_only=True), {"name": "model", "emptyDir": {}}, *_api_keys(deployment)],
        terminationGracePeriodSeconds=pod.SERVING_GRACE_SECONDS,
        initContainers=[] if image is None else [_fetch(deployment, image, storage)],
    )
    return overlaid(template, defaults.pods, deployment.spec.pod)


def _fetch(deployment: ModelDeployment, image: str, storage: Volumes) -> Manifest:
    """Copies the artifact and verifies the digest of each file, so that only what was trained is loaded."""
    model = deployment.spec.model
    command = ["python", "-m", "perennial_serving", "fetch"]
    command += ["--uri", model.uri, "--digest", model.digest, "--to", MODEL_FOLDER]
    if model.credentials:
        command += ["--secret", model.credentials.secret_name]
    mounts = [*storage.mounts(read_only=True), _MODEL_MOUNT]
    return container("fetch", image, command, mounts, _resources(deployment))


def _serve(deployment: ModelDeployment, defaults: Defaults) -> Manifest:
    runtime = runtime_of(deployment)
    return container(
        "serve",
        runtime.image(deployment, defaults),
        runtime.command(deployment),
        [_TMP_MOUNT, _MODEL_MOUNT | {"readOnly": True}, *(_API_KEYS_MOUNT for _ in _api_keys(deployment))],
        _resources(deployment),
        ports=[{"name": PORT_NAME, "containerPort": runtime.port, "protocol": "TCP"}],
        startupProbe=_probe(runtime.probes.startup),
        readinessProbe=_probe(runtime.probes.readiness),
        livenessProbe=_probe(runtime.probes.liveness),
    )


def _api_keys(deployment: ModelDeployment) -> list[Manifest]:
    """The volume with the keys of the clients; the kubelet updates it when the Secret changes."""
    name = runtime_of(deployment).api_keys(deployment)
    secret = {"secretName": name, "defaultMode": SECRET_MODE}
    return [{"name": _API_KEYS_MOUNT["name"], "secret": secret}] if name else []


def _resources(deployment: ModelDeployment) -> Manifest:
    """Of both containers: they run one after the other, so equal resources for both cost nothing more."""
    return deployment.spec.runtime.resources.to_wire()


def _probe(probe: Probe) -> Manifest:
    return {
        "httpGet": {"path": probe.path, "port": PORT_NAME, "scheme": "HTTP"},
        "periodSeconds": probe.period_seconds,
        "timeoutSeconds": 5,
        "failureThreshold": probe.failure_threshold,
    }
