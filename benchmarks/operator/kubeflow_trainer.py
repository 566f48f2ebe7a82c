"""Kubeflow Trainer v2: its controller manager from the Go module proxy, with its defaults."""

import hashlib
import json
import os
import shutil
import subprocess
import time
from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from api_client import Api, Manifest
from fresh_control_plane import ControlPlane
from measured_process import Process, running
from measured_system import NAMESPACE

SOURCES = Path(__file__).parent / "trainer"
TOOL = "github.com/kubeflow/trainer/v2/cmd/trainer-controller-manager"
TRAINER, JOBSET = "github.com/kubeflow/trainer/v2", "sigs.k8s.io/jobset"
SCHEDULER_PLUGINS = "sigs.k8s.io/scheduler-plugins"
SYSTEM = "kubeflow-system"
SECRET = "kubeflow-trainer-webhook-cert"
CERTIFICATES = Path("/tmp/k8s-webhook-server/serving-certs")  # where the controller looks, come what may
_START_SECONDS = 90


class KubeflowTrainer:
    """TrainJobs, whose JobSets are counted; JobSet's own controller is not there."""

    name = "kubeflow-trainer"
    owners = f"/apis/trainer.kubeflow.org/v1alpha1/namespaces/{NAMESPACE}/trainjobs"
    children = f"/apis/jobset.x-k8s.io/v1alpha2/namespaces/{NAMESPACE}/jobsets"
    agents = ("trainer-controller-manager",)
    gives_status = False

    def __init__(self) -> None:
        self._binary = build()
        self.version = _module(TRAINER)["Version"]

    async def prepare(self, api: Api, control_plane: ControlPlane) -> None:
        """CRDs, a runtime, and what its management of certificates asks for; no webhook is registered."""
        trainer, jobset = (Path(_module(name)["Dir"]) for name in (TRAINER, JOBSET))
        plugins = Path(_module(SCHEDULER_PLUGINS)["Dir"])
        control_plane.kubectl("create", "namespace", NAMESPACE)
        control_plane.kubectl("create", "namespace", SYSTEM)
        control_plane.kubectl("create", "secret", "generic", SECRET, "--namespace", SYSTEM)
        webhooks = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "validator.trainer.kubeflow.org"},
            "webhooks": [],
        }
        control_plane.kubectl("create", "-f", "-", stdin=json.dumps(webhooks))
        definitions = [
            *sorted((trainer / "manifests/base/crds").glob("trainer.kubeflow.org_*.yaml")),
            jobset / "config/components/crd/bases/jobset.x-k8s.io_jobsets.yaml",
            plugins / "config/crd/bases/scheduling.x-k8s.io_podgroups.yaml",
        ]
        control_plane.define(*definitions)
        control_plane.kubectl("create", "-f", str(trainer / "manifests/base/runtimes/torch_distributed.yaml"))

    @contextmanager
    def run(self, control_plane: ControlPlane) -> Iterator[Process]:
        shutil.rmtree(CERTIFICATES, ignore_errors=True)
        environment = {"KUBECONFIG": str(control_plane.kubeconfig)}
        log = control_plane.kubeconfig.parent / "logs" / "trainer.log"
        try:
            with running([str(self._binary)], environment, log) as process:
                _mount_certificates(control_plane, process)
                _wait(process, lambda: "Starting workers" in log.read_text(errors="replace"), "its workers")
                yield process
        finally:
            shutil.rmtree(CERTIFICATES, ignore_errors=True)

    async def create(self, api: Api, name: str) -> None:
        job = {
            "apiVersion": "trainer.kubeflow.org/v1alpha1",
            "kind": "TrainJob",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"runtimeRef": {"name": "torch-distributed"}},
        }
        await api.create(self.owners, job)

    def has_status(self, owner: Manifest) -> bool:
        return bool(owner.get("status", {}).get("conditions"))

    def shows_change(self, owner: Manifest) -> bool:
        conditions = owner.get("status", {}).get("conditions", [])
        return any(c["type"] == "Complete" and c["status"] == "True" for c in conditions)

    async def changeable(self, api: Api) -> AsyncIterator[str]:
        for jobset in (await api.get(f"{self.children}?limit=500"))["items"]:
            yield jobset["metadata"]["name"]

    async def change_child(self, api: Api, name: str) -> None:
        """What JobSet's controller writes at the end."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        told = {"reason": "AllJobsCompleted", "message": "all jobs completed", "lastTransitionTime": now}
        condition = {"type": "Completed", "status": "True"} | told
        await api.patch(f"{self.children}/{name}/status", {"status": {"conditions": [condition]}})


def build() -> Path:
    """The controller manager, built once into a cache folder named by a hash of go.mod and go.sum."""
    content = b"".join((SOURCES / name).read_bytes() for name in ("go.mod", "go.sum"))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "perennial" / "benchmarks"
    target = cache / hashlib.sha256(content).hexdigest()[:16] / "trainer-controller-manager"
    if not target.exists():
        print("Building Kubeflow Trainer's controller manager (once; usually 90 s on 2 cores)", flush=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        building = target.with_suffix(".building")
        _go("build", "-trimpath", "-ldflags", "-s -w", "-o", str(building), TOOL)
        building.rename(target)
    return target


def _module(name: str) -> dict[str, str]:
    """Version and Dir of a module of the build list, in the module cache."""
    found: dict[str, str] = json.loads(_go("list", "-m", "-json", name))
    return found


def _go(*arguments: str) -> str:
    if not shutil.which("go"):
        raise SystemExit("Kubeflow Trainer is built with Go, which is not on the PATH; leave it out with --systems.")
    environment = os.environ | {"CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "-buildvcs=false -mod=readonly"}
    done = subprocess.run(("go", *arguments), cwd=SOURCES, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"go {' '.join(arguments)} failed:\n{done.stderr.strip()[-2000:]}")
    return done.stdout


def _mount_certificates(control_plane: ControlPlane, process: Process) -> None:
    """Does what a kubelet does: the Secret that the controller fills appears as files."""
    read = ("get", "secret", SECRET, "--namespace", SYSTEM, "--output", "json")
    data: dict[str, str] = {}

    def filled() -> bool:
        data.update(json.loads(control_plane.kubectl(*read)).get("data", {}))
        return "tls.crt" in data

    _wait(process, filled, "its certificates")
    CERTIFICATES.mkdir(parents=True)
    for name, content in data.items():
        (CERTIFICATES / name).write_bytes(b64decode(content))


def _wait(process: Process, holds: Callable[..., bool], what: str) -> None:
    end = time.monotonic() + _START_SECONDS
    while not holds():
        process.check()
        if time.monotonic() > end:
            raise SystemExit(f"Kubeflow Trainer lacks {what} after {_START_SECONDS} s; see {process.log}.")
        time.sleep(0.2)
