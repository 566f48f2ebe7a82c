"""Which cluster is used: the KUBECONFIG given on purpose, else kind if Docker runs, else tools/local_cluster."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from playground.commands import ROOT, Kubectl, output, run, step

LOCAL_CLUSTER = ROOT / "tools/local_cluster"
STATE = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "perennial"


@dataclass(frozen=True)
class Chosen:
    """A cluster: how it came to be, and how it is reached."""

    kind: str  # given | kind | local
    name: str
    kubectl: str
    kubeconfig: str

    def client(self, namespace: str = "default") -> Kubectl:
        return Kubectl(self.kubectl, self.kubeconfig, namespace)


def choose() -> str:
    """given, kind or local. With PERENNIAL_CLUSTER=kind it is kind or nothing."""
    kind_alone = os.environ.get("PERENNIAL_CLUSTER") == "kind"
    if os.environ.get("KUBECONFIG") and not kind_alone:
        return "given"
    lack = _lack_of_kind()
    if lack and kind_alone:
        sys.exit(f"A cluster of kind was asked for, but {lack}.")
    return "local" if lack else "kind"


def _lack_of_kind() -> str | None:
    """Why there can be no cluster of kind."""
    for program in ("kind", "docker"):
        if not shutil.which(program):
            return f"{program} is not installed"
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        return "no Docker engine answers `docker info`"
    return None


def build() -> None:
    """Builds what a local cluster consists of, where that is what `up` would bring up."""
    if choose() == "local":
        with step("Build a local Kubernetes", "nothing to do, but 6 to 9 min the first time"):
            run(sys.executable, LOCAL_CLUSTER, "build")


def up(name: str) -> Chosen:
    """Brings the cluster up, or finds it up."""
    match choose():
        case "given":
            return Chosen("given", name, _kubectl_in_path(), os.environ["KUBECONFIG"])
        case "kind":
            return _kind_up(name)
        case _:
            return _local_up(name)


def find(name: str) -> Chosen:
    """The cluster that `up` brought up; ends with advice if there is none."""
    match choose():
        case "given":
            return Chosen("given", name, _kubectl_in_path(), os.environ["KUBECONFIG"])
        case "kind":
            return Chosen("kind", name, _kubectl_in_path(), str(_kind_kubeconfig(name)))
        case _:
            return Chosen("local", name, _local("kubectl-path"), _local("kubeconfig", "--name", name))


def down(name: str) -> None:
    """Removes what `up` made; a given cluster stays."""
    match choose():
        case "given":
            print("The cluster of KUBECONFIG stays as it is.")
        case "kind":
            run("kind", "delete", "cluster", "--name", f"perennial-{name}")
            _kind_kubeconfig(name).unlink(missing_ok=True)
        case _:
            run(sys.executable, LOCAL_CLUSTER, "down", "--name", name)


def _kind_up(name: str) -> Chosen:
    cluster, kubeconfig = f"perennial-{name}", _kind_kubeconfig(name)
    kubeconfig.parent.mkdir(parents=True, exist_ok=True)
    if cluster not in output("kind", "get", "clusters").split():
        with step("Create a kind cluster", "1 min"):
            config = LOCAL_CLUSTER / "kind.yaml"
            run("kind", "create", "cluster", "--name", cluster, "--config", config, "--kubeconfig", kubeconfig)
    return Chosen("kind", name, _kubectl_in_path(), str(kubeconfig))


def _kind_kubeconfig(name: str) -> Path:
    return STATE / f"kind-{name}.kubeconfig"


def _local_up(name: str) -> Chosen:
    with step("Bring up a local Kubernetes", "20 s; the first time it is built, 6 to 9 min"):
        run(sys.executable, LOCAL_CLUSTER, "up", "--name", name)
    return find(name)


def _local(*words: str) -> str:
    return output(sys.executable, LOCAL_CLUSTER, *words).splitlines()[-1]


def _kubectl_in_path() -> str:
    return shutil.which("kubectl") or sys.exit("kubectl is not installed; install it to use your own cluster.")
