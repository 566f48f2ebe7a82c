"""The veth pairs between network namespaces: of the host and a cluster, of its first node and another one.

Both ends vanish with the namespace, and with them the route: nothing else is ever added.
"""

import ipaddress
import json
import os
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from cluster import CLUSTERS, Cluster, Node, load_all

NAMESPACE_SECONDS = 5
LINK_SECONDS = 20


@dataclass(frozen=True)
class Link:
    """A veth pair: an interface here with the address `near`, and eth0 in another namespace with the address `far`.

    The network `behind` is routed to the far end; the far end routes the network `back` to this one.
    """

    interface: str
    near: str
    far: str
    prefix: int
    behind: ipaddress.IPv4Network
    back: ipaddress.IPv4Network | None = None


def of_cluster(cluster: Cluster) -> Link:
    near, far = cluster.host_address, cluster.node_address
    return Link(cluster.interface, near, far, cluster.link.prefixlen, behind=cluster.network)


def of_node(node: Node) -> Link:
    near, link = str(node.link[1]), node.link
    return Link(f"node{node.number}", near, node.address, link.prefixlen, behind=node.pods, back=node.cluster.network)


def free_index(name: str, control_plane_only: bool) -> int:
    """An index whose network and ports neither another cluster nor the machine uses.

    Raises SystemExit where there is none, or where the name is taken by a cluster that isn't in our folder.
    """
    if _exists(Cluster(name, 0, control_plane_only).interface):
        raise SystemExit(f"A cluster named {name} runs already, from another user or folder: choose another --name.")
    taken = {cluster.index for cluster in load_all()}
    for index in set(range(CLUSTERS)) - taken:
        candidate = Cluster(name, index, control_plane_only)
        if _ports_free(candidate) if control_plane_only else _network_free(candidate):
            return index
    raise SystemExit("No free network or ports for another cluster: take one down first (`status` lists them).")


def connect(link: Link, pid: int) -> None:
    """Links this network namespace with that of the process `pid`; what is done already stays."""
    _wait_for_namespace(pid)
    if not _exists(link.interface):
        _ip("link", "add", link.interface, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
    _ip("address", "replace", f"{link.near}/{link.prefix}", "dev", link.interface)
    _ip("link", "set", link.interface, "up")
    _inside(pid, "link", "set", "lo", "up")
    _inside(pid, "address", "replace", f"{link.far}/{link.prefix}", "dev", "eth0")
    _inside(pid, "link", "set", "eth0", "up")
    if link.back:
        _inside(pid, "route", "replace", str(link.back), "via", link.near)
    _ip("route", "replace", str(link.behind), "via", link.far)


def _wait_for_namespace(pid: int) -> None:
    """A process just started still has the host's namespace, where a second eth0 would do harm."""
    deadline = time.monotonic() + NAMESPACE_SECONDS
    while os.path.samefile(f"/proc/{pid}/ns/net", "/proc/self/ns/net"):
        if time.monotonic() > deadline:
            raise SystemExit("The supervisor got no network namespace of its own: is `unshare --net` allowed here?")
        time.sleep(0.01)


def disconnect(link: Link) -> None:
    """Does now what the kernel does a moment after the namespace's last process.

    A link that the kernel is about to delete exists, but can't be deleted, and must not be taken for a new one.
    """
    deadline = time.monotonic() + LINK_SECONDS
    while _exists(link.interface):
        subprocess.run(("ip", "link", "delete", link.interface), capture_output=True)
        if time.monotonic() > deadline:
            raise SystemExit(f"The network link {link.interface} of before can't be deleted.")
        time.sleep(0.02)


def _exists(interface: str) -> bool:
    return Path("/sys/class/net", interface).exists()


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
