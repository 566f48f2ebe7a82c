"""The arguments and configurations of etcd, API server, controller manager and scheduler."""

from cluster import Cluster
from component import Component, flags, key_pair


def etcd(cluster: Cluster) -> Component:
    certificate, key, authority = key_pair(cluster, "etcd")
    client, peer = (f"https://127.0.0.1:{cluster.port(name)}" for name in ("etcd", "etcd-peer"))
    return Component(
        "etcd",
        "etcd",
        flags(
            name=cluster.name,
            data_dir=cluster.path("etcd"),
            logger="zap",
            log_level="warn",
            listen_client_urls=client,
            advertise_client_urls=client,
            listen_peer_urls=peer,
            initial_advertise_peer_urls=peer,
            initial_cluster=f"{cluster.name}={peer}",
            cert_file=certificate,
            key_file=key,
            trusted_ca_file=authority,
            client_cert_auth="true",
            peer_cert_file=certificate,
            peer_key_file=key,
            peer_trusted_ca_file=authority,
            peer_client_cert_auth="true",
            unsafe_no_fsync="true",  # a cluster that may be thrown away need not survive a power cut
        ),
        needs_api=False,
    )


def api_server(cluster: Cluster) -> Component:
    certificate, key, authority = key_pair(cluster, "kube-apiserver")
    etcd_certificate, etcd_key, _ = key_pair(cluster, "etcd-client")
    kubelet_certificate, kubelet_key, _ = key_pair(cluster, "kubelet-client")
    proxy_certificate, proxy_key, _ = key_pair(cluster, "front-proxy")
    arguments = flags(
        etcd_servers=f"https://127.0.0.1:{cluster.port('etcd')}",
        etcd_cafile=authority,
        etcd_certfile=etcd_certificate,
        etcd_keyfile=etcd_key,
        bind_address="127.0.0.1" if cluster.control_plane_only else "0.0.0.0",
        advertise_address=cluster.node_address,
        secure_port=cluster.port("kube-apiserver"),
        tls_cert_file=certificate,
        tls_private_key_file=key,
        client_ca_file=authority,
        service_account_issuer="https://kubernetes.default.svc.cluster.local",
        service_account_key_file=cluster.path("certificates/service-account.pub"),
        service_account_signing_key_file=cluster.path("certificates/service-account.key"),
        service_cluster_ip_range=cluster.services,
        authorization_mode="Node,RBAC",
        enable_admission_plugins="NodeRestriction",
        allow_privileged="true",
        kubelet_client_certificate=kubelet_certificate,
        kubelet_client_key=kubelet_key,
        kubelet_preferred_address_types="InternalIP",
        proxy_client_cert_file=proxy_certificate,
        proxy_client_key_file=proxy_key,  # for aggregated APIs
        requestheader_client_ca_file=authority,
        requestheader_allowed_names="front-proxy",
        requestheader_username_headers="X-Remote-User",
        requestheader_group_headers="X-Remote-Group",
        requestheader_extra_headers_prefix="X-Remote-Extra-",
        audit_policy_file=cluster.path("configuration/audit-policy.json"),
        audit_log_path=cluster.path("logs/audit.log"),
        audit_log_maxsize=500,
        audit_log_maxbackup=2,
    )
    # A loopback address is no valid endpoint, and without a node nobody looks for one.
    return Component(
        "kube-apiserver",
        "kube-apiserver",
        arguments + (flags(endpoint_reconciler_type="none") if cluster.control_plane_only else ()),
        needs_api=False,
    )


def controller_manager(cluster: Cluster) -> Component:
    return Component(
        "kube-controller-manager",
        "kube-controller-manager",
        flags(
            kubeconfig=cluster.path("kube-controller-manager.kubeconfig"),
            authentication_kubeconfig=cluster.path("kube-controller-manager.kubeconfig"),
            authorization_kubeconfig=cluster.path("kube-controller-manager.kubeconfig"),
            bind_address="127.0.0.1",
            secure_port=cluster.port("kube-controller-manager"),
            leader_elect="false",
            use_service_account_credentials="true",
            root_ca_file=cluster.path("certificates/ca.crt"),
            cluster_signing_cert_file=cluster.path("certificates/ca.crt"),
            cluster_signing_key_file=cluster.path("certificates/ca.key"),
            service_account_private_key_file=cluster.path("certificates/service-account.key"),
        ),
    )


def scheduler(cluster: Cluster) -> Component:
    kubeconfig = cluster.path("kube-scheduler.kubeconfig")
    return Component(
        "kube-scheduler",
        "kube-scheduler",
        flags(
            kubeconfig=kubeconfig,
            authentication_kubeconfig=kubeconfig,
            authorization_kubeconfig=kubeconfig,
            bind_address="127.0.0.1",
            secure_port=cluster.port("kube-scheduler"),
            leader_elect="false",
        ),
    )


AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "nonResourceURLs": ["/healthz*", "/readyz*", "/livez*"]},
        {"level": "Metadata"},
    ],
}
