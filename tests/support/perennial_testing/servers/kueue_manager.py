"""A real Kueue: its manager as a process beside a control plane, with its CRDs and webhooks.

All of it comes with its Go module. Only the webhooks are changed: they point to a port of this machine.
"""

import contextlib
import os
import socket
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import yaml

from perennial_testing import go_program
from perennial_testing.cluster.control_plane import ControlPlane, Manifest

SOURCES = Path(__file__).parent / "kueue"
MODULE = "sigs.k8s.io/kueue"
PACKAGE = f"{MODULE}/cmd/kueue"
# What the enabled part of it deals with.
RESOURCES = {"jobs", "workloads", "clusterqueues", "resourceflavors", "cohorts"}
# It reads the certificate of its metrics here, even where it serves none.
METRICS_CERTIFICATES = Path("/etc/kueue/metrics/certs")
_START_SECONDS = 60


@contextlib.contextmanager
def running(control_plane: ControlPlane, folder: Path) -> Iterator[Path]:
    """Kueue, until the block ends; yields its log."""
    program = go_program.built(SOURCES, PACKAGE, usually="4 min")
    manifests = go_program.module_folder(SOURCES, MODULE) / "config" / "components"
    control_plane.kubectl("apply", "--server-side", "-f", str(manifests / "crd" / "bases"))
    control_plane.kubectl("wait", "--for=condition=Established", "-f", str(manifests / "crd" / "bases"))
    webhooks, health = _free_ports(2)
    authority = _certificate(folder)
    configuration = folder / "configuration.yaml"
    configuration.write_text(yaml.safe_dump(_configuration(folder, webhooks, health)))
    log = folder / "log"
    with _metrics_certificates(folder), _process(program, configuration, control_plane, log) as process:
        _wait_for(f"http://127.0.0.1:{health}/readyz", process, log)
        registered = _webhooks(manifests / "webhook" / "manifests.yaml", webhooks, authority)
        control_plane.kubectl("create", "-f", "-", stdin=registered)
        yield log
        assert process.poll() is None, log.read_text()


def _configuration(folder: Path, webhooks: int, health: int) -> Manifest:
    """Its defaults, but for what it finds only in a pod."""
    return {
        "apiVersion": "config.kueue.x-k8s.io/v1beta2",
        "kind": "Configuration",
        "namespace": "kueue-system",
        "manageJobsWithoutQueueName": False,
        "integrations": {"frameworks": ["batch/job"]},
        "leaderElection": {"leaderElect": False},
        "internalCertManagement": {"enable": False},
        "webhook": {"host": "127.0.0.1", "port": webhooks, "certDir": str(folder)},
        "health": {"healthProbeBindAddress": f"127.0.0.1:{health}"},
        "metrics": {"bindAddress": "0"},
        "featureGates": {"VisibilityOnDemand": False},
    }


def _webhooks(path: Path, port: int, authority: bytes) -> list[Manifest]:
    """Its own registrations, for what is enabled, with an address that the API server reaches."""
    registrations: list[Manifest] = list(yaml.safe_load_all(path.read_text()))
    for registration in registrations:
        registration["metadata"]["name"] = f"kueue-{registration['metadata']['name']}"
        registration["webhooks"] = [webhook for webhook in registration["webhooks"] if _is_enabled(webhook)]
        for webhook in registration["webhooks"]:
            url = f"https://127.0.0.1:{port}{webhook['clientConfig']['service']['path']}"
            webhook["clientConfig"] = {"url": url, "caBundle": b64encode(authority).decode()}
    return registrations


def _is_enabled(webhook: Manifest) -> bool:
    return any(RESOURCES.intersection(rule["resources"]) for rule in webhook["rules"])


def _certificate(folder: Path) -> bytes:
    """Makes tls.key and tls.crt, which is its own authority."""
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=kueue"
        " -addext subjectAltName=IP:127.0.0.1 -keyout tls.key -out tls.crt"
    )
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return (folder / "tls.crt").read_bytes()


@contextlib.contextmanager
def _metrics_certificates(folder: Path) -> Iterator[None]:
    """Lays the certificate where Kueue looks for it, until the block ends; one that is there already does as well."""
    if METRICS_CERTIFICATES.exists():
        yield
        return
    try:
        METRICS_CERTIFICATES.parent.mkdir(parents=True, exist_ok=True)
        METRICS_CERTIFICATES.unlink(missing_ok=True)  # of a run that was killed
        METRICS_CERTIFICATES.symlink_to(folder)
    except PermissionError as error:
        raise AssertionError(f"Kueue reads {METRICS_CERTIFICATES}: run its tests as root") from error
    try:
        yield
    finally:
        METRICS_CERTIFICATES.unlink()
        with contextlib.suppress(OSError):  # something else is there
            METRICS_CERTIFICATES.parent.rmdir()
            METRICS_CERTIFICATES.parent.parent.rmdir()


@contextlib.contextmanager
def _process(
    program: Path, configuration: Path, control_plane: ControlPlane, log: Path
) -> "Iterator[subprocess.Popen[bytes]]":
    command = [program, "--config", configuration, "--zap-log-level", "2"]
    environment = os.environ | {"KUBECONFIG": control_plane.kubeconfig}
    with log.open("w") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(OSError), urlopen(url, timeout=1):
            return
        time.sleep(0.1)
    raise AssertionError(f"Kueue is not ready after {_START_SECONDS} s: {log.read_text()}")


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for free in sockets:
            free.bind(("127.0.0.1", 0))
        return [free.getsockname()[1] for free in sockets]
