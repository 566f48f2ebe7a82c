"""What a cluster loads: folders of OCI layout, each with one or several images and each of their layers once.

Uncompressed, since they never leave the machine: gzip takes 90 s for what this writes in 14 s. Folders, since a
cluster can then take the layers as hard links.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from catalogue import ALL, members
from engines import DEBIAN_TAG
from steps import run

KEY = "perennial.key"  # a file in the layout: of which inputs it was made


def folder() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "perennial" / "images"


def path(archive: str) -> Path:
    return folder() / archive


def key(archive: str) -> str:
    return " ".join(image.key() for image in members(archive))


def is_current(archive: str) -> bool:
    recorded = path(archive) / KEY
    return recorded.exists() and recorded.read_text() == key(archive)


def size(archive: str) -> int:
    """Bytes on disk."""
    return sum(file.stat().st_size for file in path(archive).rglob("*") if file.is_file())


@contextmanager
def lock() -> Iterator[None]:
    """One build at a time; another one waits, and then finds its work done."""
    folder().mkdir(parents=True, exist_ok=True)
    with (folder() / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another build of the images to end ...", file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write(archive: str, of_key: str) -> None:
    """Writes the images of one archive; it appears whole or not at all."""
    layout, partial = path(archive), folder() / f"{archive}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    if (layout / "blobs").exists():  # layers that are there need not be written again
        shutil.copytree(layout / "blobs", partial / "blobs", copy_function=os.link)
    try:
        for image in members(archive):
            run(
                "skopeo",
                "copy",
                "--quiet",
                "--dest-oci-accept-uncompressed-layers",
                f"containers-storage:{image.tag}",
                f"oci:{partial}:{image.tag}",
            )
        _prune(partial)
        (partial / KEY).write_text(of_key)
        shutil.rmtree(layout, ignore_errors=True)
        partial.rename(layout)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def clean() -> None:
    """Removes the archives, and from buildah's store this project's images and all cached layers of builds."""
    shutil.rmtree(folder(), ignore_errors=True)
    if not shutil.which("buildah"):
        return
    listed = json.loads(subprocess.run(("buildah", "images", "--json"), capture_output=True, text=True).stdout or "[]")
    ours = {image.tag for image in ALL.values()} | {DEBIAN_TAG}
    present = [name for entry in listed or () for name in entry.get("names") or () if name in ours]
    if present:
        run("buildah", "rmi", "--force", *present)
    run("buildah", "rmi", "--prune", "--force")


def _prune(layout: Path) -> None:
    """Removes the blobs that none of the layout's images refers to."""
    blobs = layout / "blobs/sha256"
    used = set()
    for manifest in json.loads((layout / "index.json").read_text())["manifests"]:
        parts = json.loads((blobs / _hex(manifest)).read_text())
        used |= {_hex(part) for part in (manifest, parts["config"], *parts["layers"])}
    for blob in blobs.iterdir():
        if blob.name not in used:
            blob.unlink()


def _hex(descriptor: dict[str, str]) -> str:
    return descriptor["digest"].removeprefix("sha256:")
