"""Brings images into the containerd of each node, where pods find them without a registry.

Layers don't take the usual way through containerd's API, which copies a gigabyte in 20 s: they are
placed in its store of contents as hard links or copies, and only then made known to it. containerd
checks them against the digests in the image's configuration when it unpacks them.
"""

import io
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import archives
import binaries
from archives import Image, Part
from cluster import Cluster, Node
from node_components import PAUSE_IMAGE

ATTEMPTS = 3
STORE = "containerd/io.containerd.content.v1.content/blobs"


def load(cluster: Cluster, path: Path) -> list[str]:
    """Imports the images of an OCI or docker archive, or of a folder of OCI layout, under their names.

    Returns the names. Raises SystemExit where there are none, or containerd refuses them.
    """
    try:
        images = archives.read(path)
    except ValueError as error:
        raise SystemExit(str(error)) from None
    for node in cluster.nodes:
        _load(node, images)
    return [image.name for image in images]


def _load(node: Node, images: list[Image]) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        for layers in (image.layers for image in images):
            for digest, part in layers.items():
                _place(node, digest, part)
        refusal = _import(node, images)
        if refusal is None:
            return
        # A collection of garbage between _place and its label takes the layer away again.
        if "not found" not in refusal or attempt == ATTEMPTS:
            raise SystemExit(f"containerd refuses {', '.join(image.name for image in images)}: {refusal}")


def load_pause(cluster: Cluster) -> None:
    """The image that holds a pod's namespaces open, made of our own binary."""
    layer = _tar({"pause": binaries.program("pause").read_bytes()})
    config = json.dumps(
        {
            "architecture": archives.ARCHITECTURE,
            "os": "linux",
            "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
            "rootfs": {"type": "layers", "diff_ids": [archives.digest(layer)]},
        }
    ).encode()
    manifest = [{"Config": "config.json", "RepoTags": [PAUSE_IMAGE], "Layers": ["layer.tar"]}]
    archive = cluster.path("pause.tar")
    files = {"manifest.json": json.dumps(manifest).encode(), "config.json": config, "layer.tar": layer}
    archive.write_bytes(_tar(files))
    load(cluster, archive)


def names(node: Node) -> list[str]:
    return ctr(node, "images", "list", "-q").stdout.split()


def ctr(node: Node, *arguments: str, stdin: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Runs containerd's own client in the namespace that the kubelet uses."""
    command = ("ctr", "--address", str(node.containerd_socket), "--namespace", "k8s.io", *arguments)
    with (stdin or Path(os.devnull)).open("rb") as file:
        return subprocess.run(command, stdin=file, capture_output=True, text=True)


def _place(node: Node, digest: str, part: Part) -> None:
    blob = node.path(STORE, *digest.split(":"))
    if not blob.exists():
        arriving = node.path(f"layer-{os.getpid()}")
        _link_or_copy(part, arriving)
        blob.parent.mkdir(parents=True, exist_ok=True)
        arriving.rename(blob)
    # containerd finds the content in its store, and reads nothing from the file.
    done = ctr(
        node,
        "content",
        "ingest",
        "--expected-digest",
        digest,
        "--expected-size",
        str(part.size),
        f"load-{digest}",
        stdin=blob,
    )
    if done.returncode:
        raise SystemExit(f"containerd refuses the layer {digest} of {part.file}: {done.stderr.strip()}")
    # Until an image refers to it, only this label keeps containerd from collecting it as garbage.
    ctr(node, "content", "label", digest, "containerd.io/gc.root=load-image")


def _link_or_copy(part: Part, target: Path) -> None:
    if part.offset == 0 and part.size == part.file.stat().st_size:
        try:
            os.link(part.file, target)
            return
        except OSError:  # another file system
            shutil.copyfile(part.file, target)
            return
    with part.file.open("rb") as source, target.open("wb") as copy:
        done = 0
        while done < part.size:
            done += os.sendfile(copy.fileno(), source.fileno(), part.offset + done, part.size - done)


def _import(node: Node, images: list[Image]) -> str | None:
    """Imports an archive of everything but the layers, and has them unpacked; returns why not, if so."""
    index = {
        "schemaVersion": 2,
        "manifests": [
            {
                "mediaType": image.media_type,
                "digest": archives.digest(image.manifest),
                "size": len(image.manifest),
                "annotations": {"io.containerd.image.name": image.name},
            }
            for image in images
        ],
    }
    blobs = {
        f"blobs/{archives.digest(blob).replace(':', '/')}": blob
        for image in images
        for blob in (image.config, image.manifest)
    }
    archive = node.path(f"import-{os.getpid()}.tar")
    archive.write_bytes(
        _tar({"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', **blobs, "index.json": json.dumps(index).encode()})
    )
    done = ctr(node, "images", "import", str(archive))
    archive.unlink()
    return done.stderr.strip() if done.returncode else None


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
