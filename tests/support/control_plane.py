"""A real control plane for tests: kubectl, and the official client."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client, config

ROOT = Path(__file__).parents[2]
GROUP, VERSION = "perennial.dev", "v1alpha1"
Manifest = dict[str, Any]


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

    def clients(self) -> tuple[client.CoreV1Api, client.CustomObjectsApi, client.BatchV1Api, client.AppsV1Api]:
        api = config.new_client_from_config(self.kubeconfig)
        return client.CoreV1Api(api), client.CustomObjectsApi(api), client.BatchV1Api(api), client.AppsV1Api(api)


def local_cluster(*arguments: str) -> str:
    """The output of tools/local_cluster."""
    command = ["python3", str(ROOT / "tools" / "local_cluster"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1500, env=dict(os.environ))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()
