"""Brings Perennial, a Prometheus and a Pushgateway into a cluster."""

import hashlib
import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from playground.clusters import LOCAL_CLUSTER, Chosen
from playground.commands import ROOT, output, run, step

NAMESPACE = "perennial-system"
PROMETHEUS_URL = "http://prometheus.monitoring.svc:9090"
OURS = ("operator", "training", "serving")
# What a platform asks of all pods: a label for its policies, and enough memory for its LimitRanges.
POD_DEFAULTS = (
    "labels.platform=playground",
    "cleanupResources.requests.memory=512Mi",
    "cleanupResources.limits.memory=512Mi",
)
PUBLIC_IMAGES = {"prometheus": "prom/prometheus:v3.5.0", "pushgateway": "prom/pushgateway:v1.11.1"}


@dataclass(frozen=True)
class Images:
    """Where the cluster finds images: our three below a prefix with a tag, and the two of the monitoring."""

    registry: str
    tag: str
    prometheus: str
    pushgateway: str
    build: str = ""


def bring(chosen: Chosen) -> None:
    """Everything, from images to a ready operator; may be run again."""
    images = _images(chosen)
    _monitoring(chosen, images)
    _chart(chosen, images)


def build(kind: str, further: Iterable[str] = ()) -> list[str]:
    """Builds our images, and further ones, for a cluster of this kind; returns where their archives are."""
    if kind == "given":
        return []
    command = [
        sys.executable,
        ROOT / "tools/build_images",
        "build",
        *(["--engine", "docker"] if kind == "kind" else []),
    ]
    with step("Build the images", "5 min the first time, then seconds"):
        archives = output(*command, stderr=None).split()
        if names := list(further):
            output(*command, *names, stderr=None)
    return archives


def _images(chosen: Chosen) -> Images:
    if chosen.kind == "given":
        prefix = os.environ.get("PERENNIAL_REGISTRY")
        if not prefix:
            raise SystemExit(
                "KUBECONFIG names your own cluster, which has to pull the images: build images/*/Dockerfile, push\n"
                "them as PREFIX/operator:TAG, PREFIX/training:TAG and PREFIX/serving:TAG, and set\n"
                "PERENNIAL_REGISTRY=PREFIX and PERENNIAL_TAG=TAG. Or unset KUBECONFIG for a cluster of its own."
            )
        tag = os.environ.get("PERENNIAL_TAG", "dev")
        return Images(prefix, tag, PUBLIC_IMAGES["prometheus"], PUBLIC_IMAGES["pushgateway"])
    archives = build(chosen.kind)
    prefix = "localhost/perennial"
    if chosen.kind == "kind":
        names = [f"{prefix}/{name}:dev" for name in OURS]
        with step("Load the images into kind", "2 min"):
            run("kind", "load", "docker-image", "--name", f"perennial-{chosen.name}", *names)
        identifiers = output("docker", "image", "inspect", "--format", "{{.Id}}", *names).split()
        return Images(prefix, "dev", PUBLIC_IMAGES["prometheus"], PUBLIC_IMAGES["pushgateway"], _build(identifiers))
    with step("Load the images into the cluster", "1 min"):
        run(sys.executable, LOCAL_CLUSTER, "load-image", "--name", chosen.name, *archives)
    return Images(prefix, "dev", f"{prefix}/prometheus:dev", f"{prefix}/pushgateway:dev", _build(map(_stamp, archives)))


def _build(identifiers: Iterable[str]) -> str:
    """Names what the images hold: the tag stays the same, so this is what makes Helm restart the operator."""
    return hashlib.sha256(" ".join(identifiers).encode()).hexdigest()[:16]


def _stamp(archive: str) -> str:
    state = Path(archive).stat()
    return f"{state.st_size}-{state.st_mtime_ns}"


def _monitoring(chosen: Chosen, images: Images) -> None:
    manifest = (Path(__file__).parent / "monitoring.yaml").read_text()
    manifest = manifest.replace("PROMETHEUS_IMAGE", images.prometheus).replace("PUSHGATEWAY_IMAGE", images.pushgateway)
    kubectl = chosen.client("monitoring")
    with step("Start Prometheus and a Pushgateway", "15 s"):
        print(kubectl("apply", "--server-side", "-f", "-", stdin=f"{manifest}\n---\n{_alerts()}"))
        for name in ("prometheus", "pushgateway"):
            kubectl("rollout", "status", f"deployment/{name}", "--timeout=180s")


def _alerts() -> str:
    """The ConfigMap with the alerts of the chart."""
    rules = (ROOT / "charts/perennial/alerts.yaml").read_text()
    at = {"name": "alerts", "namespace": "monitoring"}
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": at, "data": {"alerts.yaml": rules}})


def _chart(chosen: Chosen, images: Images) -> None:
    with step("Install Perennial with its Helm chart", "15 s"):
        run(
            *(sys.executable, ROOT / "tools/helm", "--kubeconfig", chosen.kubeconfig),
            *("upgrade", "--install", "perennial", ROOT / "charts/perennial"),
            *("--namespace", NAMESPACE, "--create-namespace", "--wait", "--timeout", "3m"),
            *("--set", f"image.registry={images.registry}", "--set", f"image.tag={images.tag}"),
            *("--set", f"prometheus.url={PROMETHEUS_URL}"),
            *(word for default in POD_DEFAULTS for word in ("--set", f"podDefaults.{default}")),
            *("--set-string", f"podAnnotations.build={images.build}"),
        )
