"""The arguments and configurations of what runs on a node."""

import sys
from pathlib import Path
from typing import Any

from cluster import Cluster, Node
from component import Component, flags
from network import of_node
from node import KUBELET_FOLDER

HERE = Path(__file__).parent
PAUSE_IMAGE = "localhost/perennial/pause:1"
CNI_PLUGINS = "/usr/lib/cni"


def containerd(node: Node) -> Component:
    return Component(
        "containerd",
        "/usr/bin/containerd",
        flags(config=node.path("containerd.toml")),
        needs_api=False,
    )


def containerd_configuration(node: Node) -> str:
    """TOML, version 2: what both containerd 1.6 and 1.7 read."""
    return f"""version = 2
root = "{node.path("containerd")}"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "{node.containerd_socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI_PLUGINS}"
    conf_dir = "{node.path("cni")}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
"""


def cni_configuration(node: Node) -> dict[str, Any]:
    """Each pod has a veth pair of its own to the node (`ptp`), so that traffic between pods is routed.

    With a bridge, answers of a Service's pod to its neighbour would bypass kube-proxy's rules wherever
    the kernel module br_netfilter isn't loaded.
    """
    address = {
        "type": "host-local",
        "ranges": [[{"subnet": str(node.pods)}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": "/run/cni-addresses",
    }
    return {
        "cniVersion": "1.0.0",
        "name": "perennial",
        "plugins": [
            {"type": "ptp", "ipMasq": False, "ipam": address},
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def kubelet(node: Node) -> Component:
    return Component(
        "kubelet",
        "kubelet",
        flags(
            config=node.path("kubelet.json"),
            kubeconfig=node.path("kubelet.kubeconfig"),
            hostname_override=node.name,
            node_ip=node.address,
            root_dir=KUBELET_FOLDER,
            cert_dir=KUBELET_FOLDER / "pki",
        ),
    )


def kubelet_configuration(node: Node) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "x509": {"clientCAFile": str(node.cluster.path("certificates/ca.crt"))},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{node.containerd_socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{node.cgroup}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDomain": "cluster.local",
        "clusterDNS": [node.cluster.node_address],
        "resolvConf": str(node.path("resolv.conf")),
        "podLogsDir": "/var/log/pods",
        "volumePluginDir": str(KUBELET_FOLDER / "volume-plugins"),
        "staticPodPath": "",
        "rotateCertificates": False,
        # Images can't be pulled again here, so none is ever collected; and a full disk of the
        # machine at large is no reason to evict pods.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "imagefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "imagefs.inodesFree": "1%",
        },
    }


def kube_proxy(node: Node) -> Component:
    return Component("kube-proxy", "kube-proxy", flags(config=node.path("kube-proxy.json")))


def kube_proxy_configuration(node: Node) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clusterCIDR": str(node.cluster.pods),
        "hostnameOverride": node.name,
        "clientConnection": {"kubeconfig": str(node.cluster.path("kube-proxy.kubeconfig"))},
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
    }


def further_node(node: Node) -> Component:
    """Another node, in namespaces of its own, with a supervisor of its own."""
    namespaces = ("--net", "--pid", "--fork", "--kill-child", "--mount", "--propagation", "private", "--mount-proc")
    arguments = ("supervise", "--name", node.cluster.name, "--node", str(node.number))
    return Component(
        node.name, "/usr/bin/unshare", (*namespaces, sys.executable, str(HERE), *arguments), link=of_node(node)
    )


def coredns(cluster: Cluster) -> Component:
    return Component("coredns", "coredns", ("-conf", str(cluster.path("configuration/Corefile"))))


def corefile(cluster: Cluster) -> str:
    """Names of the cluster; every other name does not exist, which fails a pod's look-up at once."""
    return f"""cluster.local:53 {{
  bind {cluster.node_address}
  errors
  ready 127.0.0.1:8181
  cache {{
    success 9984 5
    denial 9984 1
  }}
  kubernetes cluster.local {{
    kubeconfig {cluster.path("coredns.kubeconfig")}
    ttl 5
  }}
}}
.:53 {{
  bind {cluster.node_address}
  template ANY ANY {{
    rcode NXDOMAIN
  }}
}}
"""


def provisioner(cluster: Cluster) -> Component:
    return Component("provisioner", sys.executable, (str(HERE), "provision", "--name", cluster.name))
