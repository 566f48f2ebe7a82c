"""The veth pair between the host and a cluster's network namespace.

Both ends vanish with the namespace, and with them the host's route: nothing else is ever added.
"""

import ipaddress
import json
import socket
import subprocess
from pathlib import Path

from cluster import CLUSTERS, Cluster, load_all


def free_index(name: str, control_plane_only: bool) -> int:
    """An index whose network and ports neither another cluster nor the machine uses."""
    taken = {cluster.index for cluster in load_all()}
    for index in set(range(CLUSTERS)) - taken:
        candidate = Cluster(name, index, control_plane_only)
        if _ports_free(candidate) if control_plane_only else _network_free(candidate):
            return index
    raise SystemExit("No free network or ports for another cluster: take one down first "
                     "(`status` lists them).")


def connect(cluster: Cluster, pid: int) -> None:
    """Links the host with the network namespace of the process `pid`, unless that is done already."""
    if Path("/sys/class/net", cluster.interface).exists():
        return
    _ip("link", "add", cluster.interface, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
    _ip("address", "add", f"{cluster.host_address}/{cluster.link.prefixlen}", "dev", cluster.interface)
    _ip("link", "set", cluster.interface, "up")
    _inside(pid, "link", "set", "lo", "up")
    _inside(pid, "address", "add", f"{cluster.node_address}/{cluster.link.prefixlen}", "dev", "eth0")
    _inside(pid, "link", "set", "eth0", "up")
    _ip("route", "add", str(cluster.network), "via", cluster.node_address)


def disconnect(cluster: Cluster) -> None:
    if Path("/sys/class/net", cluster.interface).exists():
        subprocess.run(("ip", "link", "delete", cluster.interface), capture_output=True)


def _ip(*arguments: str) -> str:
    return subprocess.run(("ip", *arguments), check=True, capture_output=True, text=True).stdout


def _inside(pid: int, *arguments: str) -> None:
    subprocess.run(("nsenter", f"--net=/proc/{pid}/ns/net", "ip", *arguments), check=True, capture_output=True)


def _network_free(cluster: Cluster) -> bool:
    routes = json.loads(_ip("-json", "-4", "route"))
    used = (ipaddress.ip_network(route["dst"]) for route in routes if route["dst"] != "default")
    return not any(network.overlaps(cluster.network) for network in used)


def _ports_free(cluster: Cluster) -> bool:
    return all(_port_free(cluster.port(component)) for component in
               ("kube-apiserver", "etcd", "etcd-peer", "kube-controller-manager"))


def _port_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
