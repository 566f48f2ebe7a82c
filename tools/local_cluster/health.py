"""Does the cluster work? Each check asks the real thing and answers yes or no, at once."""

import socket
import struct

import images
from api import UNREACHABLE, Api
from cluster import Cluster, Node
from node_components import PAUSE_IMAGE

DNS_SECONDS = 1.0
QUESTION = "kubernetes.default.svc.cluster.local"


def api_ready(cluster: Cluster) -> bool:
    try:
        return Api(cluster.kubeconfig).text("/readyz") == "ok"
    except UNREACHABLE:
        return False


def default_service_account(cluster: Cluster) -> bool:
    """Without it the API server refuses every pod."""
    return _found(cluster, "/api/v1/namespaces/default/serviceaccounts/default")


def storage_class(cluster: Cluster) -> bool:
    return _found(cluster, "/apis/storage.k8s.io/v1/storageclasses/local")


def containerd_ready(cluster: Cluster) -> bool:
    return all(images.ctr(node, "version").returncode == 0 for node in cluster.nodes)


def pause_image(cluster: Cluster) -> bool:
    return all(PAUSE_IMAGE in images.names(node) for node in cluster.nodes)


def nodes_ready(cluster: Cluster) -> bool:
    return all(map(_node_ready, cluster.nodes))


def _node_ready(node: Node) -> bool:
    """The node says so, and its kubelet answers through the API server: the condition alone may be old."""
    path, api = f"/api/v1/nodes/{node.name}", Api(node.cluster.kubeconfig)
    try:
        conditions = api.get(path)["status"].get("conditions", ())
        alive = api.text(f"{path}/proxy/healthz") == "ok"
    except UNREACHABLE:
        return False
    return alive and any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def dns_answers(cluster: Cluster) -> bool:
    """Asks CoreDNS for the API server's Service, from the host."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(DNS_SECONDS)
        try:
            client.sendto(_dns_query(QUESTION), (cluster.node_address, 53))
            answer = client.recv(512)
        except OSError:
            return False
    return answer.endswith(socket.inet_aton(cluster.api_service_address))


def _found(cluster: Cluster, path: str) -> bool:
    try:
        Api(cluster.kubeconfig).get(path)
    except UNREACHABLE:
        return False
    return True


def _dns_query(name: str) -> bytes:
    """One question for the IPv4 address (type 1, class 1), in DNS's wire format."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">6H", 1, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", 1, 1)
