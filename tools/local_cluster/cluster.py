"""What a local cluster is: its name, folders, addresses and ports. Nothing here touches the machine."""

import ipaddress
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

KUBERNETES = "v1.37.2"
DEFAULT_NAME = "demo"
NAME = re.compile(r"[a-z]([-a-z0-9]{0,10}[a-z0-9])?")  # goes into an interface's name: 15 characters at most
MOST_NODES = 4  # by the networks below
CLUSTERS = 40  # indices 0..39: networks 10.200.0.0/16 to 10.239.0.0/16, loopback ports 21000 to 21399

WELL_KNOWN_PORTS = {
    "kube-apiserver": 6443,
    "etcd": 2379,
    "etcd-peer": 2380,
    "kube-controller-manager": 10257,
    "kube-scheduler": 10259,
}


def state_root() -> Path:
    """The folder that holds one folder per cluster."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "perennial"


def cache_root() -> Path:
    """The folder of what may be kept: the built binaries."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "perennial"


@dataclass(frozen=True)
class Cluster:
    """One cluster. `index` keeps the networks and ports of clusters on the same machine apart.

    With `control_plane_only` its parts listen on 127.0.0.1; otherwise the whole cluster lives in a
    network namespace of its own, which the host reaches through a veth pair.
    """

    name: str
    index: int
    control_plane_only: bool
    size: int = 1  # number of nodes

    @property
    def nodes(self) -> tuple["Node", ...]:
        """Its nodes. The first one shares the network of the control plane; each other one has its own behind that."""
        return () if self.control_plane_only else tuple(Node(self, number) for number in range(1, self.size + 1))

    @property
    def folder(self) -> Path:
        return state_root() / self.name

    def path(self, *parts: str) -> Path:
        return self.folder.joinpath(*parts)

    def subnet(self, rest: str) -> ipaddress.IPv4Network:
        return ipaddress.IPv4Network(f"10.{200 + self.index}.{rest}")

    @property
    def network(self) -> ipaddress.IPv4Network:
        """Everything of this cluster: the host routes it to the node."""
        return self.subnet("0.0/16")

    @property
    def pods(self) -> ipaddress.IPv4Network:
        """Of all nodes together."""
        return self.subnet("0.0/18")

    @property
    def services(self) -> ipaddress.IPv4Network:
        return self.subnet("64.0/20")

    @property
    def link(self) -> ipaddress.IPv4Network:
        """The veth pair between host (first address) and node (second address)."""
        return self.subnet("255.252/30")

    @property
    def host_address(self) -> str:
        return str(self.link[1])

    @property
    def node_address(self) -> str:
        return "127.0.0.1" if self.control_plane_only else str(self.link[2])

    @property
    def api_service_address(self) -> str:
        return str(self.services[1])

    @property
    def interface(self) -> str:
        """The host's end of the veth pair."""
        return f"pl-{self.name}"

    def port(self, component: str) -> int:
        if not self.control_plane_only:
            return WELL_KNOWN_PORTS[component]
        return 21000 + 10 * self.index + list(WELL_KNOWN_PORTS).index(component)

    @property
    def api(self) -> str:
        return f"https://{self.node_address}:{self.port('kube-apiserver')}"

    @property
    def kubeconfig(self) -> Path:
        return self.path("kubeconfig")

    def save(self) -> None:
        facts = {"index": self.index, "controlPlaneOnly": self.control_plane_only, "size": self.size}
        self.path("cluster.json").write_text(json.dumps(facts))


@dataclass(frozen=True)
class Node:
    """A kubelet with its container runtime, pods and networks; `number` counts from 1."""

    cluster: Cluster
    number: int

    @property
    def name(self) -> str:
        return self.cluster.name if self.number == 1 else f"{self.cluster.name}-{self.number}"

    def path(self, *parts: str) -> Path:
        return self.cluster.path(f"node{self.number}", *parts)

    @property
    def pods(self) -> ipaddress.IPv4Network:
        return list(self.cluster.pods.subnets(new_prefix=20))[self.number - 1]

    @property
    def link(self) -> ipaddress.IPv4Network:
        """The veth pair between the first node (first address) and another one (second address)."""
        return self.cluster.subnet(f"254.{4 * self.number}/30")

    @property
    def address(self) -> str:
        return self.cluster.node_address if self.number == 1 else str(self.link[2])

    @property
    def cgroup(self) -> str:
        return f"perennial-{self.cluster.name}.{self.number}"

    @property
    def containerd_socket(self) -> Path:
        return self.path("containerd.sock")


def load(name: str) -> Cluster | None:
    """The cluster of this name, or None where `up` has never begun it."""
    try:
        facts = json.loads((state_root() / name / "cluster.json").read_text())
    except FileNotFoundError:
        return None
    return Cluster(name, facts["index"], facts["controlPlaneOnly"], facts.get("size", 1))


def load_all() -> list[Cluster]:
    names = sorted(path.parent.name for path in state_root().glob("*/cluster.json"))
    return [cluster for name in names if (cluster := load(name))]
