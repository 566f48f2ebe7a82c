"""The objects that a working cluster needs beside its processes: default storage, and who may do what."""

from typing import Any

from api import UNREACHABLE, Api, status_of
from provisioner import PROVISIONER, STORAGE_CLASS

RBAC = "rbac.authorization.k8s.io"

Object = dict[str, Any]


def create(api: Api) -> None:
    """Creates what is missing; what exists stays as it is."""
    for path, addon in ADDONS:
        try:
            api.create(path, addon)
        except UNREACHABLE as error:
            if status_of(error) != 409:
                raise


def _binding(user: str, role: str) -> Object:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": user},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user}],
    }


DEFAULT_STORAGE = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "provisioner": PROVISIONER,
    "metadata": {"name": STORAGE_CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "reclaimPolicy": "Delete",
    "volumeBindingMode": "Immediate",
}
DNS_ROLE = {
    "apiVersion": f"{RBAC}/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "coredns"},
    "rules": [
        {"apiGroups": [""], "resources": ["namespaces", "pods", "services"], "verbs": ["list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
    ],
}
ADDONS = (
    ("/apis/storage.k8s.io/v1/storageclasses", DEFAULT_STORAGE),
    (f"/apis/{RBAC}/v1/clusterroles", DNS_ROLE),
    (f"/apis/{RBAC}/v1/clusterrolebindings", _binding("coredns", "coredns")),
    (f"/apis/{RBAC}/v1/clusterrolebindings", _binding("local-provisioner", "system:persistent-volume-provisioner")),
)
