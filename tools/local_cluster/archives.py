"""Reads images from OCI archives, docker archives and folders of OCI layout, without copying their layers."""

import json
import platform
import posixpath
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
OCI = "application/vnd.oci.image"


@dataclass(frozen=True)
class Part:
    """A range of bytes of a file."""

    file: Path
    offset: int
    size: int

    def read(self) -> bytes:
        with self.file.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)


@dataclass(frozen=True)
class Image:
    """One named image. `layers` maps the digest of each layer to where it lies."""

    name: str
    media_type: str
    manifest: bytes
    config: bytes
    layers: dict[str, Part]


def read(path: Path) -> list[Image]:
    """Raises ValueError where `path` holds no image that can be read here."""
    parts = _folder(path) if path.is_dir() else _archive(path)
    try:
        images = list(_oci(parts) if "index.json" in parts else _docker(parts))
    except KeyError as missing:
        raise ValueError(
            f"{path} is no OCI or docker archive, nor a folder of OCI layout: it lacks {missing}."
        ) from None
    if not images:
        raise ValueError(
            f"{path} holds no image with a name for {ARCHITECTURE}: write it with one, as in "
            "`buildah push IMAGE docker-archive:FILE:localhost/name:tag`."
        )
    return images


def digest(content: bytes) -> str:
    return f"sha256:{sha256(content).hexdigest()}"


def _folder(path: Path) -> dict[str, Part]:
    files = (file for file in path.rglob("*") if file.is_file())
    return {file.relative_to(path).as_posix(): Part(file, 0, file.stat().st_size) for file in files}


def _archive(path: Path) -> dict[str, Part]:
    try:
        with tarfile.open(path, "r:") as archive:
            members = archive.getmembers()
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist.") from None
    except tarfile.ReadError:
        raise ValueError(f"{path} is no tar archive (a compressed one has to be unpacked first).") from None
    parts = {
        posixpath.normpath(member.name): Part(path, member.offset_data, member.size)
        for member in members
        if member.isfile()
    }
    for member in members:
        if member.issym():  # older docker archives hold a repeated layer once
            target = posixpath.normpath(posixpath.join(posixpath.dirname(member.name), member.linkname))
            if target in parts:
                parts[posixpath.normpath(member.name)] = parts[target]
    return parts


def _oci(parts: dict[str, Part]) -> Iterator[Image]:
    for entry in json.loads(parts["index.json"].read())["manifests"]:
        annotations = entry.get("annotations", {})
        name = annotations.get("io.containerd.image.name") or annotations.get("org.opencontainers.image.ref.name")
        found = _for_this_machine(parts, entry)
        if name and found:
            manifest = json.loads(_blob(parts, found).read())
            yield Image(
                name,
                found["mediaType"],
                _blob(parts, found).read(),
                _blob(parts, manifest["config"]).read(),
                {layer["digest"]: _blob(parts, layer) for layer in manifest["layers"]},
            )


def _for_this_machine(parts: dict[str, Part], entry: dict[str, Any]) -> dict[str, Any] | None:
    """The entry itself, or of an index of several platforms the one that runs here."""
    if "index" not in entry["mediaType"] and "list" not in entry["mediaType"]:
        return entry
    entries = json.loads(_blob(parts, entry).read())["manifests"]
    return next((e for e in entries if e.get("platform", {}).get("architecture") == ARCHITECTURE), None)


def _blob(parts: dict[str, Part], descriptor: dict[str, Any]) -> Part:
    return parts["blobs/" + descriptor["digest"].replace(":", "/")]


def _docker(parts: dict[str, Part]) -> Iterator[Image]:
    """Their layers are not compressed, so that the digests in `rootfs` are those of the layers."""
    for entry in json.loads(parts["manifest.json"].read()):
        config = parts[entry["Config"]].read()
        digests = json.loads(config)["rootfs"]["diff_ids"]
        layers = dict(zip(digests, (parts[name] for name in entry["Layers"]), strict=True))
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": f"{OCI}.manifest.v1+json",
                "config": {"mediaType": f"{OCI}.config.v1+json", "digest": digest(config), "size": len(config)},
                "layers": [
                    {"mediaType": f"{OCI}.layer.v1.tar", "digest": of, "size": layers[of].size} for of in digests
                ],
            }
        ).encode()
        for name in entry["RepoTags"] or ():
            yield Image(name, f"{OCI}.manifest.v1+json", manifest, config, layers)
