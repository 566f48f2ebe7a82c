"""A real control plane for tests: kubectl, and the official client."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

ROOT = Path(__file__).parents[4]
# Two sessions at a time want two names, and so do the workers of one.
NAME = "-".join(filter(None, (os.environ.get("PERENNIAL_TEST_CLUSTER", "test"), os.environ.get("PYTEST_XDIST_WORKER"))))
GROUP, VERSION = "perennial.dev", "v1alpha1"
Manifest = dict[str, Any]
MANAGED = "app.kubernetes.io/managed-by=perennial"
CHILDREN = (
    f"{GROUP}/{VERSION}/trainingjobs", f"{GROUP}/{VERSION}/deployments", "batch/v1/jobs", "v1/configmaps",
    "v1/services", "policy/v1/poddisruptionbudgets", "apps/v1/deployments", "networking.k8s.io/v1/networkpolicies",
)  # fmt: skip


@dataclass(frozen=True)
class ControlPlane:
    """An API server with our CRDs."""

    kubeconfig: str
    kubectl_path: str

    def kubectl(self, *arguments: str, stdin: Any = None, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Runs kubectl as a user would; stdin is a manifest or several."""
        documents = stdin if isinstance(stdin, list) else [stdin]
        text = None if stdin is None else yaml.safe_dump_all(documents)
        command = [self.kubectl_path, "--kubeconfig", self.kubeconfig, *arguments]
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120)
        assert not check or done.returncode == 0, f"{command}: {done.stderr}"
        return done

    def get(self, *arguments: str) -> Any:
        """What `kubectl get … -o json` answers; None if it is not there."""
        done = self.kubectl("get", *arguments, "-o", "json", "--ignore-not-found")
        return json.loads(done.stdout) if done.stdout else None

    @cached_property
    def _client(self) -> client.ApiClient:
        return config.new_client_from_config(self.kubeconfig)

    def read(self, path: str) -> Manifest:
        """What the API server answers to a GET; 60 times as cheap as kubectl. Raises kubernetes' ApiException."""
        request = self._client.param_serialize(
            "GET", path, header_params={"Accept": "application/json"}, auth_settings=["BearerToken"]
        )
        response = self._client.call_api(*request)
        content = response.read()
        if response.status != 200:
            raise ApiException(status=response.status, reason=response.reason)
        found: Manifest = json.loads(content)
        return found

    def objects(self, namespace: str, *plurals: str) -> list[Manifest]:
        """The operator's children in a namespace, of these resources (`group/version/plural`, or `v1/plural`)."""
        found = []
        for plural in plurals:
            version, _, name = plural.rpartition("/")
            root = "apis" if "/" in version else "api"
            listed = self.read(f"/{root}/{version}/namespaces/{namespace}/{name}?labelSelector={MANAGED}")
            common = {"apiVersion": listed["apiVersion"], "kind": listed["kind"].removesuffix("List")}
            found += [common | item for item in listed["items"]]
        return found

    def clients(self) -> tuple[client.CoreV1Api, client.CustomObjectsApi, client.BatchV1Api, client.AppsV1Api]:
        api = config.new_client_from_config(self.kubeconfig)
        return client.CoreV1Api(api), client.CustomObjectsApi(api), client.BatchV1Api(api), client.AppsV1Api(api)


def local_cluster(*arguments: str) -> str:
    """The output of tools/local_cluster."""
    command = ["python3", str(ROOT / "tools" / "local_cluster"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1500, env=dict(os.environ))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@contextmanager
def provided() -> Iterator[ControlPlane]:
    """The cluster of $PERENNIAL_TEST_KUBECONFIG, or one of our own that ends with the block; with our CRDs."""
    if given := os.environ.get("PERENNIAL_TEST_KUBECONFIG"):
        built = local_cluster("kubectl-path")
        yield _with_crds(ControlPlane(given, built if os.path.exists(built) else shutil.which("kubectl") or built))
        return
    with own(NAME) as control_plane:
        yield control_plane


@contextmanager
def own(name: str) -> Iterator[ControlPlane]:
    """One of our own, of this name, that ends with the block; with our CRDs."""
    local_cluster("up", "--name", name, "--control-plane-only")
    try:
        yield _with_crds(ControlPlane(local_cluster("kubeconfig", "--name", name), local_cluster("kubectl-path")))
    finally:
        local_cluster("down", "--name", name)


def _with_crds(control_plane: ControlPlane) -> ControlPlane:
    control_plane.kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
    control_plane.kubectl("wait", "--for=condition=Established", "-f", str(ROOT / "crds"), "--timeout=30s")
    return control_plane
