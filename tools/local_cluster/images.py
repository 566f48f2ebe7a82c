"""Brings images into the cluster's containerd, where pods find them without a registry."""

import io
import json
import subprocess
import tarfile
from hashlib import sha256
from pathlib import Path

import binaries
from cluster import Cluster
from components import PAUSE_IMAGE


def load(cluster: Cluster, image: Path) -> None:
    """Imports an OCI or docker archive, or a folder of OCI layout; its names stay as they are.

    Raises SystemExit where the image is none of these.
    """
    _import(cluster, image)


def load_pause(cluster: Cluster) -> None:
    """The image that holds a pod's namespaces open, made of our own binary."""
    archive = cluster.path("pause.tar")
    archive.write_bytes(_pause_archive(binaries.program("pause").read_bytes()))
    _import(cluster, archive)


def ctr(cluster: Cluster, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ("ctr", "--address", str(cluster.containerd_socket), "--namespace", "k8s.io", *arguments)
    return subprocess.run(command, capture_output=True, text=True)


def _import(cluster: Cluster, archive: Path) -> None:
    done = ctr(cluster, "images", "import", str(archive))
    if done.returncode:
        raise SystemExit(f"containerd refuses {archive}: {done.stderr.strip()}")


def _pause_archive(program: bytes) -> bytes:
    """A docker archive with a single layer that holds a single file."""
    layer = _tar({"pause": program})
    config = json.dumps({
        "architecture": "amd64", "os": "linux", "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha256(layer).hexdigest()}"]},
    }).encode()
    manifest = [{"Config": "config.json", "RepoTags": [PAUSE_IMAGE], "Layers": ["layer.tar"]}]
    return _tar({"manifest.json": json.dumps(manifest).encode(), "config.json": config, "layer.tar": layer})


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
