"""Brings clusters up and takes them down. Either may be repeated, or interrupted and repeated."""

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import binaries
import certificates
import cgroups
import components
import health
import host
import images
import network
import supervisor
from cluster import KUBERNETES, MOST_NODES, NAME, Cluster, load, state_root
from node import refuse_hidden

LONGEST_SOCKET_PATH = 107  # bytes, a limit of the kernel
WAIT_SECONDS = 120
Check = Callable[[Cluster], bool]


def up(name: str, control_plane_only: bool, size: int | None = None) -> Cluster:
    """Makes the cluster of this name work, whatever state it is in; with `size` nodes, if that is given.

    Raises SystemExit with what to do where it can't.
    """
    if not NAME.fullmatch(name):
        raise SystemExit(f"--name {name}: use up to 12 of a-z, 0-9 and -, from a letter to a letter or digit.")
    if size is not None and not 1 <= size <= MOST_NODES:
        raise SystemExit(f"--nodes {size}: use 1 to {MOST_NODES}.")
    host.require(control_plane_only)
    binaries.ensure()
    with _locked():
        cluster = load(name) or _create(name, control_plane_only, size or 1)
        if cluster.control_plane_only != control_plane_only:
            raise SystemExit(
                f"{name} exists {'without' if cluster.control_plane_only else 'with'} a node: "
                f"take it down first, or choose another --name."
            )
        if size and cluster.size != size:
            raise SystemExit(
                f"{name} exists with --nodes {cluster.size}: take it down first, or choose another --name."
            )
        if is_up(cluster):
            print(f"{name} is up already: Kubernetes {KUBERNETES} at {cluster.api}")
        else:
            _start(cluster)
    return cluster


def down(name: str) -> None:
    """Ends everything of the cluster and removes all its files, its images and volumes included."""
    with _locked() as root:
        if cluster := load(name):
            supervisor.kill(cluster)
            network.disconnect(network.of_cluster(cluster))
            for node in cluster.nodes:
                cgroups.remove(node)
        folder = root / name
        if folder.is_dir():
            shutil.rmtree(folder)
        print(f"{name} is down: nothing of it is left" if cluster else f"{name} is not there: nothing to do")
        if not any(root.iterdir()):
            root.rmdir()


def is_up(cluster: Cluster) -> bool:
    return supervisor.find(cluster) is not None and all(check(cluster) for check in _checks(cluster))


def _checks(cluster: Cluster) -> tuple[Check, ...]:
    if cluster.control_plane_only:
        return health.api_ready, health.default_service_account
    return (
        health.api_ready,
        health.default_service_account,
        health.storage_class,
        health.pause_image,
        health.nodes_ready,
        health.dns_answers,
    )


def _create(name: str, control_plane_only: bool, size: int) -> Cluster:
    cluster = Cluster(name, network.free_index(name, control_plane_only), control_plane_only, size)
    if not control_plane_only:
        refuse_hidden(cluster)
    if any(len(os.fsencode(node.containerd_socket)) > LONGEST_SOCKET_PATH for node in cluster.nodes):
        raise SystemExit(f"{cluster.folder} is too long a path for a socket: set XDG_STATE_HOME to a shorter one.")
    cluster.path("logs").mkdir(parents=True, exist_ok=True)
    cluster.save()
    return cluster


def _start(cluster: Cluster) -> None:
    with _step("Certificates and configuration", 1):
        certificates.make(cluster)
        components.write_configurations(cluster)
    with _step("Control plane: etcd, API server, controller manager", 9):
        _start_supervisor(cluster)
        _wait(cluster, health.api_ready, "kube-apiserver")
        _wait(cluster, health.default_service_account, "kube-controller-manager")
    if not cluster.control_plane_only:
        _start_node(cluster)
    print(f"{cluster.name} is up: Kubernetes {KUBERNETES} at {cluster.api}")


def _start_supervisor(cluster: Cluster) -> None:
    process = supervisor.find(cluster)
    if process is None:
        network.disconnect(network.of_cluster(cluster))  # of one that was killed a moment ago
        process = supervisor.start(cluster)
    if not cluster.control_plane_only:
        network.connect(network.of_cluster(cluster), process.pid)


def _start_node(cluster: Cluster) -> None:
    with _step("Container runtime and the pause image", 1):
        _wait(cluster, health.containerd_ready, "containerd")
        images.load_pause(cluster)
    with _step("Node and DNS", 1):
        _wait(cluster, health.nodes_ready, "kubelet")
        _wait(cluster, health.dns_answers, "coredns")


def _wait(cluster: Cluster, check: Check, component: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not check(cluster):
        if supervisor.find(cluster) is None:
            raise SystemExit(f"The cluster's processes ended:\n{tail(cluster, 'supervisor')}")
        if time.monotonic() > deadline:
            raise SystemExit(
                f"{component} is not ready after {WAIT_SECONDS} s; the end of its log:\n{tail(cluster, component)}"
            )
        time.sleep(0.2)


def tail(cluster: Cluster, component: str, lines: int = 15) -> str:
    path = supervisor.log(cluster, component)
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else "(no log)"


@contextmanager
def _step(title: str, usual_seconds: int) -> Iterator[None]:
    print(f"{title} (usually {usual_seconds} s) ...", end=" ", flush=True)
    began = time.monotonic()
    yield
    print(f"{time.monotonic() - began:.1f} s", flush=True)


@contextmanager
def _locked() -> Iterator[Path]:
    """Changes to clusters happen one at a time; yields the folder of all of this user's.

    The lock is of the network namespace, for that is what clusters share, from whatever user or folder:
    two that start at once would both find the same network free.
    """
    namespace = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        fcntl.flock(namespace, fcntl.LOCK_EX)
        root = state_root()
        root.mkdir(mode=0o755, parents=True, exist_ok=True)
        yield root
    finally:
        os.close(namespace)
