"""The veth pair between the host and a cluster's network namespace.

Both ends vanish with the namespace, and with them the host's route: nothing else is ever added.
"""

import ipaddress
import json
import os
import socket
import subprocess
import time
from pathlib import Path

from cluster import CLUSTERS, Cluster, load_all

NAMESPACE_SECONDS = 5
LINK_SECONDS = 20


def free_index(name: str, control_plane_only: bool) -> int:
    """An index whose network and ports neither another cluster nor the machine uses.

    Raises SystemExit where there is none, or where the name is taken by a cluster that isn't in our folder.
    """
    if _exists(Cluster(name, 0, control_plane_only)):
        raise SystemExit(f"A cluster named {name} runs already, from another user or folder: choose another --name.")
    taken = {cluster.index for cluster in load_all()}
    for index in set(range(CLUSTERS)) - taken:
        candidate = Cluster(name, index, control_plane_only)
        if _ports_free(candidate) if control_plane_only else _network_free(candidate):
            return index
    raise SystemExit("No free network or ports for another cluster: take one down first (`status` lists them).")


def connect(cluster: Cluster, pid: int) -> None:
    """Links the host with the network namespace of the process `pid`; what is done already stays."""
    _wait_for_namespace(pid)
    if not _exists(cluster):
        _ip("link", "add", cluster.interface, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
    _ip("address", "replace", f"{cluster.host_address}/{cluster.link.prefixlen}", "dev", cluster.interface)
    _ip("link", "set", cluster.interface, "up")
    _inside(pid, "link", "set", "lo", "up")
    _inside(pid, "address", "replace", f"{cluster.node_address}/{cluster.link.prefixlen}", "dev", "eth0")
    _inside(pid, "link", "set", "eth0", "up")
    _ip("route", "replace", str(cluster.network), "via", cluster.node_address)


def _wait_for_namespace(pid: int) -> None:
    """A process just started still has the host's namespace, where a second eth0 would do harm."""
    deadline = time.monotonic() + NAMESPACE_SECONDS
    while os.path.samefile(f"/proc/{pid}/ns/net", "/proc/self/ns/net"):
        if time.monotonic() > deadline:
            raise SystemExit("The supervisor got no network namespace of its own: is `unshare --net` allowed here?")
        time.sleep(0.01)


def disconnect(cluster: Cluster) -> None:
    """Does now what the kernel does a moment after the namespace's last process.

    A link that the kernel is about to delete exists, but can't be deleted, and must not be taken for a new one.
    """
    deadline = time.monotonic() + LINK_SECONDS
    while _exists(cluster):
        subprocess.run(("ip", "link", "delete", cluster.interface), capture_output=True)
        if time.monotonic() > deadline:
            raise SystemExit(f"The network link {cluster.interface} of an earlier cluster can't be deleted.")
        time.sleep(0.02)


def _exists(cluster: Cluster) -> bool:
    return Path("/sys/class/net", cluster.interface).exists()


def _ip(*arguments: str) -> str:
    return _run("ip", *arguments)


def _inside(pid: int, *arguments: str) -> None:
    _run("nsenter", f"--net=/proc/{pid}/ns/net", "ip", *arguments)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return done.stdout


def _network_free(cluster: Cluster) -> bool:
    routes = json.loads(_ip("-json", "-4", "route"))
    used = (ipaddress.ip_network(route["dst"]) for route in routes if route["dst"] != "default")
    return not any(network.overlaps(cluster.network) for network in used)


def _ports_free(cluster: Cluster) -> bool:
    return all(
        _port_free(cluster.port(component))
        for component in ("kube-apiserver", "etcd", "etcd-peer", "kube-controller-manager")
    )


def _port_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
