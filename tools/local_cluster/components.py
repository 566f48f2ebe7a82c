"""The cluster's processes as data: which there are, and the configuration files they read."""

import json
from typing import Any

import control_plane
import node_components
from cluster import Cluster
from component import Component


def components(cluster: Cluster) -> tuple[Component, ...]:
    """What runs in this cluster, in the order of starting."""
    always = (control_plane.etcd(cluster), control_plane.api_server(cluster), control_plane.controller_manager(cluster))
    if cluster.control_plane_only:
        return always
    node = (
        node_components.containerd(cluster),
        node_components.kubelet(cluster),
        node_components.kube_proxy(cluster),
        node_components.coredns(cluster),
        node_components.provisioner(cluster),
    )
    return (*always, control_plane.scheduler(cluster), *node)


def write_configurations(cluster: Cluster) -> None:
    files: dict[str, Any] = {"audit-policy.json": control_plane.AUDIT_POLICY}
    if not cluster.control_plane_only:
        files |= {
            "kubelet.json": node_components.kubelet_configuration(cluster),
            "kube-proxy.json": node_components.kube_proxy_configuration(cluster),
            "cni/10-perennial.conflist": node_components.cni_configuration(cluster),
            "containerd.toml": node_components.containerd_configuration(cluster),
            "Corefile": node_components.corefile(cluster),
            "resolv.conf": "",
        }
    for name, content in files.items():
        path = cluster.path("configuration", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
