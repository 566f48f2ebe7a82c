"""What the demo and the tests look at and do with one LanguageModel."""

import json
import sys
import time

from playground.commands import ROOT, Kubectl, output

TELL_SECONDS = 10
CLIENT = ROOT / "examples/client.py"


def prepare(kubectl: Kubectl, namespace: str, share: float = 1.0) -> None:
    """A namespace under the restricted profile, with this share of the corpus in it."""
    kubectl("apply", "-f", "-", stdin=_namespace(namespace))
    put_corpus(kubectl, share)


def put_corpus(kubectl: Kubectl, share: float = 1.0) -> None:
    """The first texts of the corpus, in a ConfigMap."""
    corpus = output(sys.executable, ROOT / "examples/data/reference.py")
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "python-reference"}}
    manifest = json.dumps(config_map | {"data": {"corpus.txt": corpus[: int(share * len(corpus))]}})
    # Server-side, since the annotation of a client-side apply would be too large.
    kubectl("apply", "--server-side", "-f", "-", stdin=manifest)


def _namespace(name: str) -> str:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})


def train(kubectl: Kubectl, model: str, hyperparameters: dict) -> None:
    """Changes the training of a model, which starts its next version."""
    patch = {"spec": {"training": {"hyperparameters": hyperparameters}}}
    kubectl("patch", "languagemodel", model, "--type=merge", "-p", json.dumps(patch))


def version(kubectl: Kubectl, model: str, number: int) -> dict:
    """What the status says of a version; empty if it doesn't."""
    status = kubectl.get("languagemodel", model).get("status", {})
    return next((found for found in status.get("versions", []) if found["number"] == number), {})


def follow(kubectl: Kubectl, model: str, number: int, limit: int = 900) -> dict:
    """Prints the progress of a version until its training has ended; returns what the status says of it."""
    told, told_at, end = "", 0.0, time.monotonic() + limit
    while time.monotonic() < end:
        found = version(kubectl, model, number)
        if found and found["state"] != "Training":
            print(f"    v{number} {found['state'].lower()}: {found.get('message', '')}", flush=True)
            return found
        status = kubectl.get("trainingjob", f"{model}-v{number}").get("status", {})
        line = _progress(status)
        if line and line != told and time.monotonic() > told_at + TELL_SECONDS:
            print(f"    v{number} {line}", flush=True)
            told, told_at = line, time.monotonic()
        time.sleep(2)
    raise SystemExit(f"\nv{number} of {model} did not end within {limit} s.")


def _progress(status: dict) -> str:
    progress = status.get("progress")
    if not progress:
        ready = next((c for c in status.get("conditions", []) if c["type"] == "Ready"), None)
        return ready["message"] if ready else ""
    names = {"loss": "loss", "validationLoss": "validation loss", "tokensPerSecond": "tokens/s", "etaSeconds": "s left"}
    told = [f"{name} {progress[key]:.4g}" for key, name in names.items() if key in progress]
    return f"step {progress['step']} of {progress['maxSteps']}, {', '.join(told)}"


def wait_ready(kubectl: Kubectl, model: str, serving: int, limit: int = 600) -> dict:
    """Waits until this version is in service on all replicas; returns the model."""

    def served() -> dict | None:
        found = kubectl.get("languagemodel", model)
        status = found.get("status", {})
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", []))
        return found if ready and status.get("servingVersion") == serving else None

    return kubectl.wait_for(f"{model} to serve version {serving}", limit, served)


def start_client(kubectl: Kubectl, name: str, image: str, model: str, *arguments: str) -> None:
    """Starts examples/client.py as a Job in the cluster, against the Service of the model."""
    url = f"http://{model}.{kubectl.namespace}.svc/v1"
    container = {
        "name": "client",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "/client/client.py", "--url", url, "--model", model, *arguments],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "client", "mountPath": "/client"}],
    }
    pod = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "client", "configMap": {"name": "client"}}],
    }
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": {"spec": pod}},
    }
    script = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "client"}}
    kubectl("apply", "-f", "-", stdin=json.dumps(script | {"data": {"client.py": CLIENT.read_text()}}))
    kubectl("delete", "job", name, "--ignore-not-found")
    kubectl("apply", "-f", "-", stdin=json.dumps(job))
    kubectl.wait_for(f"the client {name} to run", 60, lambda: _phase(kubectl, name) in ("Running", "Succeeded"))


def _phase(kubectl: Kubectl, name: str) -> str:
    return kubectl("get", "pods", "-l", f"job-name={name}", "-o", "jsonpath={.items[*].status.phase}")


def client_result(kubectl: Kubectl, name: str, limit: int = 600) -> dict:
    """Waits for a client to end; returns its summary."""
    kubectl("wait", "--for=condition=complete", f"job/{name}", f"--timeout={limit}s")
    return json.loads(kubectl("logs", f"job/{name}").splitlines()[-1])


def decisions(found: dict) -> str:
    """The decisions of an object, as lines to read."""
    lines = []
    for entry in found.get("status", {}).get("decisions", []):
        times = f" (x{entry['count']})" if "count" in entry else ""
        lines.append(f"  {entry['decisionTime'][11:19]}  {entry['reason']:18} {entry['outcome']}{times}")
        lines.append(f"            rule: {entry['rule']}; observed: {entry['observed']}")
    return "\n".join(lines)


def image_of(kubectl: Kubectl, model: str) -> str:
    """The serving image, which has a Python for the client."""
    return kubectl("get", "deployments.apps", model, "-o", "jsonpath={.spec.template.spec.containers[0].image}")
