"""The cluster's processes as data: for each component its arguments and its configuration files."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster import Cluster
from node import KUBELET_FOLDER

HERE = Path(__file__).parent
PAUSE_IMAGE = "localhost/perennial/pause:1"
CNI_PLUGINS = "/usr/lib/cni"


@dataclass(frozen=True)
class Component:
    """One process. `program` is a path, or the name of one of our binaries.

    One that `needs_api` is started when the API server answers and knows its rights.
    """

    name: str
    program: str
    arguments: tuple[str, ...]
    needs_api: bool = True


def components(cluster: Cluster) -> tuple[Component, ...]:
    """What runs in this cluster, in the order of starting."""
    control_plane = (etcd(cluster), api_server(cluster), controller_manager(cluster))
    if cluster.control_plane_only:
        return control_plane
    node = (containerd(cluster), kubelet(cluster), kube_proxy(cluster), coredns(cluster), provisioner(cluster))
    return (*control_plane, scheduler(cluster), *node)


def write_configurations(cluster: Cluster) -> None:
    files: dict[str, Any] = {"audit-policy.json": AUDIT_POLICY}
    if not cluster.control_plane_only:
        files |= {
            "kubelet.json": kubelet_configuration(cluster),
            "kube-proxy.json": kube_proxy_configuration(cluster),
            "cni/10-perennial.conflist": cni_configuration(cluster),
            "containerd.toml": containerd_configuration(cluster),
            "Corefile": corefile(cluster),
            "resolv.conf": "",
        }
    for name, content in files.items():
        path = cluster.path("configuration", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))


def flags(**values: object) -> tuple[str, ...]:
    return tuple(f"--{name.replace('_', '-')}={value}" for name, value in values.items())


# ---- control plane ----

def etcd(cluster: Cluster) -> Component:
    certificate, key, authority = _pair(cluster, "etcd")
    client, peer = (f"https://127.0.0.1:{cluster.port(name)}" for name in ("etcd", "etcd-peer"))
    return Component("etcd", "etcd", flags(
        name=cluster.name, data_dir=cluster.path("etcd"), logger="zap", log_level="warn",
        listen_client_urls=client, advertise_client_urls=client,
        listen_peer_urls=peer, initial_advertise_peer_urls=peer, initial_cluster=f"{cluster.name}={peer}",
        cert_file=certificate, key_file=key, trusted_ca_file=authority, client_cert_auth="true",
        peer_cert_file=certificate, peer_key_file=key, peer_trusted_ca_file=authority,
        peer_client_cert_auth="true",
        unsafe_no_fsync="true",  # a cluster that may be thrown away need not survive a power cut
    ), needs_api=False)


def api_server(cluster: Cluster) -> Component:
    certificate, key, authority = _pair(cluster, "kube-apiserver")
    etcd_certificate, etcd_key, _ = _pair(cluster, "etcd-client")
    kubelet_certificate, kubelet_key, _ = _pair(cluster, "kubelet-client")
    proxy_certificate, proxy_key, _ = _pair(cluster, "front-proxy")
    arguments = flags(
        etcd_servers=f"https://127.0.0.1:{cluster.port('etcd')}",
        etcd_cafile=authority, etcd_certfile=etcd_certificate, etcd_keyfile=etcd_key,
        bind_address="127.0.0.1" if cluster.control_plane_only else "0.0.0.0",
        advertise_address=cluster.node_address, secure_port=cluster.port("kube-apiserver"),
        tls_cert_file=certificate, tls_private_key_file=key, client_ca_file=authority,
        service_account_issuer="https://kubernetes.default.svc.cluster.local",
        service_account_key_file=cluster.path("certificates/service-account.pub"),
        service_account_signing_key_file=cluster.path("certificates/service-account.key"),
        service_cluster_ip_range=cluster.services,
        authorization_mode="Node,RBAC", enable_admission_plugins="NodeRestriction", allow_privileged="true",
        kubelet_client_certificate=kubelet_certificate, kubelet_client_key=kubelet_key,
        kubelet_preferred_address_types="InternalIP",
        proxy_client_cert_file=proxy_certificate, proxy_client_key_file=proxy_key,  # for aggregated APIs
        requestheader_client_ca_file=authority, requestheader_allowed_names="front-proxy",
        requestheader_username_headers="X-Remote-User", requestheader_group_headers="X-Remote-Group",
        requestheader_extra_headers_prefix="X-Remote-Extra-",
        audit_policy_file=cluster.path("configuration/audit-policy.json"),
        audit_log_path=cluster.path("logs/audit.log"), audit_log_maxsize=500, audit_log_maxbackup=2,
    )
    # A loopback address is no valid endpoint, and without a node nobody looks for one.
    return Component("kube-apiserver", "kube-apiserver",
                     arguments + (flags(endpoint_reconciler_type="none") if cluster.control_plane_only else ()),
                     needs_api=False)


def controller_manager(cluster: Cluster) -> Component:
    return Component("kube-controller-manager", "kube-controller-manager", flags(
        kubeconfig=cluster.path("kube-controller-manager.kubeconfig"),
        authentication_kubeconfig=cluster.path("kube-controller-manager.kubeconfig"),
        authorization_kubeconfig=cluster.path("kube-controller-manager.kubeconfig"),
        bind_address="127.0.0.1", secure_port=cluster.port("kube-controller-manager"),
        leader_elect="false", use_service_account_credentials="true",
        root_ca_file=cluster.path("certificates/ca.crt"),
        cluster_signing_cert_file=cluster.path("certificates/ca.crt"),
        cluster_signing_key_file=cluster.path("certificates/ca.key"),
        service_account_private_key_file=cluster.path("certificates/service-account.key"),
    ))


def scheduler(cluster: Cluster) -> Component:
    kubeconfig = cluster.path("kube-scheduler.kubeconfig")
    return Component("kube-scheduler", "kube-scheduler", flags(
        kubeconfig=kubeconfig, authentication_kubeconfig=kubeconfig, authorization_kubeconfig=kubeconfig,
        bind_address="127.0.0.1", secure_port=cluster.port("kube-scheduler"), leader_elect="false",
    ))


AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "RequestResponse", "resources": [{"group": "perennial.dev"}],
         "verbs": ["create", "update", "patch", "delete", "deletecollection"]},
        {"level": "None", "nonResourceURLs": ["/healthz*", "/readyz*", "/livez*"]},
        {"level": "Metadata"},
    ],
}


# ---- node ----

def containerd(cluster: Cluster) -> Component:
    return Component("containerd", "/usr/bin/containerd",
                     flags(config=cluster.path("configuration/containerd.toml")), needs_api=False)


def containerd_configuration(cluster: Cluster) -> str:
    """TOML, version 2: what both containerd 1.6 and 1.7 read."""
    return f"""version = 2
root = "{cluster.path('containerd')}"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "{cluster.containerd_socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI_PLUGINS}"
    conf_dir = "{cluster.path('configuration/cni')}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
"""


def cni_configuration(cluster: Cluster) -> dict[str, Any]:
    """Each pod has a veth pair of its own to the node (`ptp`), so that traffic between pods is routed.

    With a bridge, answers of a Service's pod to its neighbour would bypass kube-proxy's rules wherever
    the kernel module br_netfilter isn't loaded.
    """
    address = {"type": "host-local", "ranges": [[{"subnet": str(cluster.pods)}]],
               "routes": [{"dst": "0.0.0.0/0"}], "dataDir": "/run/cni-addresses"}
    return {"cniVersion": "1.0.0", "name": "perennial", "plugins": [
        {"type": "ptp", "ipMasq": False, "ipam": address},
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ]}


def kubelet(cluster: Cluster) -> Component:
    return Component("kubelet", "kubelet", flags(
        config=cluster.path("configuration/kubelet.json"), kubeconfig=cluster.path("kubelet.kubeconfig"),
        hostname_override=cluster.name, node_ip=cluster.node_address,
        root_dir=KUBELET_FOLDER, cert_dir=KUBELET_FOLDER / "pki",
    ))


def kubelet_configuration(cluster: Cluster) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "authentication": {"anonymous": {"enabled": False},
                           "x509": {"clientCAFile": str(cluster.path("certificates/ca.crt"))}},
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{cluster.containerd_socket}",
        "cgroupDriver": "cgroupfs", "cgroupRoot": f"/{cluster.cgroup}", "failCgroupV1": False,
        "failSwapOn": False, "clusterDomain": "cluster.local", "clusterDNS": [cluster.node_address],
        "resolvConf": str(cluster.path("configuration/resolv.conf")),
        "podLogsDir": "/var/log/pods", "volumePluginDir": str(KUBELET_FOLDER / "volume-plugins"),
        "staticPodPath": "", "rotateCertificates": False,
        # Images can't be pulled again here, so none is ever collected; and a full disk of the
        # machine at large is no reason to evict pods.
        "imageGCHighThresholdPercent": 100, "imageGCLowThresholdPercent": 99,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%",
                         "nodefs.inodesFree": "1%", "imagefs.inodesFree": "1%"},
    }


def kube_proxy(cluster: Cluster) -> Component:
    return Component("kube-proxy", "kube-proxy", flags(config=cluster.path("configuration/kube-proxy.json")))


def kube_proxy_configuration(cluster: Cluster) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
        "mode": "nftables", "clusterCIDR": str(cluster.pods), "hostnameOverride": cluster.name,
        "clientConnection": {"kubeconfig": str(cluster.path("kube-proxy.kubeconfig"))},
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "healthzBindAddress": "127.0.0.1:10256", "metricsBindAddress": "127.0.0.1:10249",
    }


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
    kubeconfig {cluster.path('coredns.kubeconfig')}
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


def _pair(cluster: Cluster, name: str) -> tuple[Path, Path, Path]:
    """Certificate, key and authority."""
    folder = cluster.path("certificates")
    return folder / f"{name}.crt", folder / f"{name}.key", folder / "ca.crt"
