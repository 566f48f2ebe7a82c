"""The cluster's processes as data: which there are, and the configuration files they read."""

import json
from pathlib import Path
from typing import Any

import control_plane
import node_components
from cluster import Cluster, Node
from component import Component


def components(cluster: Cluster) -> tuple[Component, ...]:
    """What runs in the first namespaces of a cluster, in the order of starting."""
    always = (control_plane.etcd(cluster), control_plane.api_server(cluster), control_plane.controller_manager(cluster))
    if cluster.control_plane_only:
        return always
    first, *others = cluster.nodes
    return (
        *always,
        control_plane.scheduler(cluster),
        *of_node(first),
        node_components.coredns(cluster),
        node_components.provisioner(cluster),
        *map(node_components.further_node, others),
    )


def of_node(node: Node) -> tuple[Component, ...]:
    """What runs on each node."""
    return node_components.containerd(node), node_components.kubelet(node), node_components.kube_proxy(node)


def write_configurations(cluster: Cluster) -> None:
    _write(cluster.path("configuration/audit-policy.json"), control_plane.AUDIT_POLICY)
    if not cluster.control_plane_only:
        _write(cluster.path("configuration/Corefile"), node_components.corefile(cluster))
    for node in cluster.nodes:
        _write(node.path("kubelet.json"), node_components.kubelet_configuration(node))
        _write(node.path("kube-proxy.json"), node_components.kube_proxy_configuration(node))
        _write(node.path("cni/10-perennial.conflist"), node_components.cni_configuration(node))
        _write(node.path("containerd.toml"), node_components.containerd_configuration(node))
        _write(node.path("resolv.conf"), "")


def _write(path: Path, content: str | dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
