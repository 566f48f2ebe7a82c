"""The cluster's certificates, its kubeconfigs and the key that signs service account tokens."""

import base64
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cluster import Cluster, Node

DAYS = "3650"


@dataclass(frozen=True)
class Identity:
    """The subject of one certificate; the API server takes `group` for the user's group."""

    file: str
    user: str
    group: str = ""
    names: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        return (f"/O={self.group}" if self.group else "") + f"/CN={self.user}"


CLIENTS = (
    Identity("admin", "kubernetes-admin", "system:masters"),
    Identity("kube-controller-manager", "system:kube-controller-manager"),
    Identity("kube-scheduler", "system:kube-scheduler"),
    Identity("kube-proxy", "system:kube-proxy"),
    Identity("coredns", "coredns"),
    Identity("provisioner", "local-provisioner"),
)


def identities(cluster: Cluster) -> tuple[Identity, ...]:
    api_names = (
        "localhost",
        *(
            ".".join(("kubernetes", *rest))
            for rest in ((), ("default",), ("default", "svc"), ("default", "svc", "cluster", "local"))
        ),
    )
    addresses = {"127.0.0.1", cluster.node_address, cluster.api_service_address}
    return (
        *CLIENTS,
        *map(_kubelet, cluster.nodes),
        Identity(
            "kube-apiserver",
            "kube-apiserver",
            names=(*(f"DNS:{name}" for name in api_names), *(f"IP:{address}" for address in sorted(addresses))),
        ),
        Identity("kubelet-client", "kube-apiserver-kubelet-client", "system:masters"),
        Identity("front-proxy", "front-proxy"),
        Identity("etcd", "etcd", names=("IP:127.0.0.1",)),
        Identity("etcd-client", "kube-apiserver-etcd-client"),
    )


def _kubelet(node: Node) -> Identity:
    return Identity(f"kubelet{node.number}", f"system:node:{node.name}", "system:nodes")


def make(cluster: Cluster) -> None:
    """Makes what is missing; what exists stays, so that running components keep working."""
    folder = cluster.path("certificates")
    folder.mkdir(mode=0o700, exist_ok=True)
    if not (folder / "ca.crt").exists():
        _openssl(folder, "genrsa", "-out", "service-account.key", "2048")
        _openssl(folder, "rsa", "-in", "service-account.key", "-pubout", "-out", "service-account.pub")
        _authority(folder)
    for identity in identities(cluster):
        if not (folder / f"{identity.file}.crt").exists():
            _certificate(folder, identity)
    for identity in CLIENTS:
        path = cluster.kubeconfig if identity.file == "admin" else cluster.path(f"{identity.file}.kubeconfig")
        _write_kubeconfig(cluster, identity.file, path)
    for node in cluster.nodes:
        _write_kubeconfig(cluster, _kubelet(node).file, node.path("kubelet.kubeconfig"))


def _authority(folder: Path) -> None:
    _openssl(
        folder,
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-keyout",
        "ca.key",
        "-out",
        "ca.crt",
        "-days",
        DAYS,
        "-subj",
        "/CN=perennial-local-cluster",
        "-addext",
        "keyUsage=critical,keyCertSign,cRLSign,digitalSignature",
    )


def _certificate(folder: Path, identity: Identity) -> None:
    name = identity.file
    extensions = ["basicConstraints=critical,CA:FALSE", "extendedKeyUsage=clientAuth,serverAuth"]
    if identity.names:
        extensions.append("subjectAltName=" + ",".join(identity.names))
    (folder / f"{name}.ext").write_text("\n".join(extensions) + "\n")
    _openssl(
        folder,
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-keyout",
        f"{name}.key",
        "-out",
        f"{name}.csr",
        "-subj",
        identity.subject,
    )
    # Written under another name first: an interrupted `up` must not leave half a certificate behind.
    _openssl(
        folder,
        "x509",
        "-req",
        "-in",
        f"{name}.csr",
        "-CA",
        "ca.crt",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        DAYS,
        "-extfile",
        f"{name}.ext",
        "-out",
        f"{name}.new",
    )
    (folder / f"{name}.new").rename(folder / f"{name}.crt")


def _write_kubeconfig(cluster: Cluster, file: str, path: Path) -> None:
    def data(name: str) -> str:
        return base64.b64encode(cluster.path("certificates", name).read_bytes()).decode()

    context = {"cluster": cluster.name, "user": file, "namespace": "default"}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": cluster.name,
        "clusters": [
            {"name": cluster.name, "cluster": {"server": cluster.api, "certificate-authority-data": data("ca.crt")}}
        ],
        "users": [
            {
                "name": file,
                "user": {"client-certificate-data": data(f"{file}.crt"), "client-key-data": data(f"{file}.key")},
            }
        ],
        "contexts": [{"name": cluster.name, "context": context}],
    }
    path.parent.mkdir(exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(document, indent=1))


def _openssl(folder: Path, *arguments: str) -> None:
    done = subprocess.run(("openssl", *arguments), cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"openssl {arguments[0]} failed: {done.stderr.strip()}")
