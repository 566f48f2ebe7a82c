"""The archives that a cluster loads: OCI, with each shared layer once.

Uncompressed, since they never leave the machine: gzip takes 90 s for what this writes in 14 s.
"""

import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

from catalogue import ALL, members
from engines import DEBIAN_TAG
from steps import run


def folder() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "perennial" / "images"


def path(archive: str) -> Path:
    return folder() / f"{archive}.tar"


def key(archive: str) -> str:
    return " ".join(image.key() for image in members(archive))


def is_current(archive: str) -> bool:
    recorded = _key_file(archive)
    return path(archive).exists() and recorded.exists() and recorded.read_text() == key(archive)


def write(archive: str, of_key: str) -> None:
    """Writes the images of one archive; the file appears whole or not at all."""
    layout, partial = folder() / f"{archive}.layout", path(archive).with_suffix(".partial")
    folder().mkdir(parents=True, exist_ok=True)
    shutil.rmtree(layout, ignore_errors=True)
    _key_file(archive).unlink(missing_ok=True)
    try:
        for image in members(archive):
            run("skopeo", "copy", "--quiet", "--dest-oci-accept-uncompressed-layers",
                f"containers-storage:{image.tag}", f"oci:{layout}:{image.tag}")
        with tarfile.open(partial, "w") as tar:
            tar.add(layout, ".")
        partial.rename(path(archive))
        _key_file(archive).write_text(of_key)
    finally:
        shutil.rmtree(layout, ignore_errors=True)
        partial.unlink(missing_ok=True)


def clean() -> None:
    """Removes the archives, and from buildah's store the images of this project with their cached layers."""
    shutil.rmtree(folder(), ignore_errors=True)
    if not shutil.which("buildah"):
        return
    listed = json.loads(subprocess.run(("buildah", "images", "--json"), capture_output=True, text=True).stdout or "[]")
    ours = {image.tag for image in ALL.values()} | {DEBIAN_TAG}
    present = [name for entry in listed or () for name in entry.get("names") or () if name in ours]
    if present:
        run("buildah", "rmi", "--force", *present)


def _key_file(archive: str) -> Path:
    return path(archive).with_suffix(".key")
