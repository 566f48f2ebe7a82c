"""Provisions PersistentVolumes of the default StorageClass: a folder on the node for each claim."""

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

from api import UNREACHABLE, Api, Object, status_of
from cluster import Cluster

STORAGE_CLASS = "local"
PROVISIONER = "perennial.dev/local"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
CLAIMS = "/api/v1/persistentvolumeclaims"
VOLUMES = "/api/v1/persistentvolumes"
AGAIN_SECONDS = 1.0


def run(cluster: Cluster) -> None:
    """Runs until it is killed."""
    api, folder = Api(cluster.path("provisioner.kubeconfig")), cluster.path("volumes")
    threading.Thread(daemon=True, target=_follow, args=(api, VOLUMES, lambda v: _reclaim(api, v))).start()
    _follow(api, CLAIMS, lambda claim: _provision(api, folder, claim))


def _follow(api: Api, path: str, handle: Callable[[Object], None]) -> None:
    """Each new watch begins with all objects, so what failed is tried again then."""
    while True:
        try:
            for event in api.watch(path):
                if event["type"] in ("ADDED", "MODIFIED"):
                    handle(event["object"])
        except UNREACHABLE as error:
            print(f"{path}: {error}", flush=True)
            time.sleep(AGAIN_SECONDS)


def _provision(api: Api, folder: Path, claim: Object) -> None:
    if claim["spec"].get("storageClassName") != STORAGE_CLASS or claim["spec"].get("volumeName"):
        return
    volume = _volume(folder, claim)
    path = Path(volume["spec"]["hostPath"]["path"])
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o777)  # fsGroup does not apply to a hostPath
    try:
        api.create(VOLUMES, volume)
    except UNREACHABLE as error:
        if status_of(error) != 409:  # there since an earlier event of the same claim
            raise


def _volume(folder: Path, claim: Object) -> Object:
    metadata = claim["metadata"]
    name = f"pvc-{metadata['uid']}"
    reference = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "uid": metadata["uid"],
    }
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {PROVISIONED_BY: PROVISIONER}},
        "spec": {
            "storageClassName": STORAGE_CLASS,
            "persistentVolumeReclaimPolicy": "Delete",
            "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
            "accessModes": claim["spec"]["accessModes"],
            "claimRef": reference,
            "hostPath": {"path": str(folder / name), "type": "Directory"},
        },
    }


def _reclaim(api: Api, volume: Object) -> None:
    ours = volume["metadata"].get("annotations", {}).get(PROVISIONED_BY) == PROVISIONER
    if not ours or volume.get("status", {}).get("phase") != "Released":
        return
    if volume["spec"]["persistentVolumeReclaimPolicy"] != "Delete":
        return
    shutil.rmtree(volume["spec"]["hostPath"]["path"], ignore_errors=True)
    try:
        api.delete(f"{VOLUMES}/{volume['metadata']['name']}")
    except UNREACHABLE as error:
        if status_of(error) != 404:
            raise
