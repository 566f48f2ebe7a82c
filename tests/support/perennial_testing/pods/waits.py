"""What tests in real pods do with kubectl, and wait for. Limits are generous: several tests share two cores."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from perennial_testing.pods.manifests import Manifest
from playground.commands import Kubectl

LIMIT = 600


def apply(kubectl: Kubectl, *manifests: Manifest) -> None:
    for manifest in manifests:
        kubectl("apply", "-f", "-", stdin=json.dumps(manifest))


def condition(manifest: Manifest, type_: str) -> dict[str, Any]:
    """The condition of this type, or an empty dict."""
    return next((c for c in manifest.get("status", {}).get("conditions", []) if c["type"] == type_), {})


@contextmanager
def service_url(kubectl: Kubectl, name: str) -> Iterator[str]:
    """The URL of a model's Service, by a port-forward."""
    command = [*kubectl.command, "port-forward", f"service/{name}", ":80"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            port = process.stdout.readline().split("127.0.0.1:")[1].split()[0]
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def wait_condition(
    kubectl: Kubectl, kind: str, name: str, type_: str, limit: int = LIMIT, reason: str | None = None
) -> dict[str, Any]:
    """Waits until the condition is true, with this reason if one is named; returns it."""

    def check() -> dict[str, Any] | None:
        current = condition(kubectl.get(kind, name), type_)
        return current if current.get("status") == "True" and reason in (None, current.get("reason")) else None

    return kubectl.wait_for(f"{kind}/{name}: {type_} {reason or ''}", limit, check)


def wait_for_step(kubectl: Kubectl, name: str, step: int) -> int:
    """Waits until the training has come to this step; returns the one that it is at."""

    def reached() -> int | None:
        done = kubectl.get("trainingjob", name).get("status", {}).get("progress", {}).get("step", 0)
        return done if done >= step else None

    return kubectl.wait_for(f"step {step} of {name}", LIMIT, reached, every=0.5)
