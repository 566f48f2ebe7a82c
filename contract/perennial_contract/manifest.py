"""The manifest of an artifact: perennial.json, which says what the artifact is and pins every file in it.

The digest of an artifact is the SHA-256 of the manifest's bytes, so it pins the files as well.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

NAME = "perennial.json"
# Facts that the result of a training repeats.
RESULT_FACTS = (
    "metrics",
    "initialMetrics",
    "baseline",
    "trainingLoss",
    "comparison",
    "data",
    "steps",
    "stoppedEarly",
    "madeWith",
)
SCHEMA = 1


class TamperedArtifact(ValueError):
    """The folder is not the artifact that was written; the message names the file, what was expected and found."""


def write(folder: Path, facts: dict[str, Any]) -> str:
    """Writes `facts` and the digest of each file below `folder` to perennial.json; returns the artifact's digest.

    Everything is on disk when it returns. Raises ValueError where the folder holds a link or a device.
    """
    (folder / NAME).unlink(missing_ok=True)
    digests = {name: digest_of_file(folder / name, sync=True) for name in _files(folder)}
    manifest = {"schema": SCHEMA, **facts, "files": digests}
    content = json.dumps(manifest, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    with (folder / NAME).open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(folder)
    return sha256(content)


def verify(folder: Path, digest: str | None) -> dict[str, Any]:
    """Returns the manifest of the artifact in `folder` once every file in it proved to be what was written.

    `digest` is the artifact's (None: the manifest is taken at its word). Raises TamperedArtifact.
    """
    manifest = _read(folder, digest)
    try:
        found = _files(folder)
    except ValueError as error:
        raise TamperedArtifact(str(error)) from None
    expected: dict[str, str] = manifest["files"]
    for name in sorted(expected.keys() - set(found)):
        raise TamperedArtifact(f"{name} is missing in {folder}; expected {expected[name]}")
    for name in sorted(set(found) - expected.keys() - {NAME}):
        raise TamperedArtifact(f"{name} in {folder} is not in the manifest; expected no such file")
    for name, wanted in expected.items():
        actual = digest_of_file(folder / name)
        if actual != wanted:
            raise TamperedArtifact(f"{name} in {folder} was changed; expected {wanted}, found {actual}")
    return manifest


def size(folder: Path) -> int:
    """Bytes of all files of the artifact."""
    return sum((folder / name).stat().st_size for name in _files(folder))


def digest_of(folder: Path) -> str:
    """The artifact's digest as its manifest gives it; the other files are not looked at."""
    return sha256((folder / NAME).read_bytes())


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable: without it, a crash may forget a file or a rename."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def parse(content: bytes, digest: str | None, folder: object) -> dict[str, Any]:
    """The manifest in the bytes of perennial.json; `folder` is where they come from. Raises TamperedArtifact."""
    if digest is not None and sha256(content) != digest:
        raise TamperedArtifact(f"{NAME} in {folder} was changed; expected {digest}, found {sha256(content)}")
    try:
        manifest = json.loads(content)
    except ValueError as error:
        raise TamperedArtifact(f"{NAME} in {folder} is not JSON: {error}") from None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise TamperedArtifact(f"{NAME} in {folder} lists no files")
    if manifest.get("schema") != SCHEMA:
        raise TamperedArtifact(f"{NAME} in {folder} has schema {manifest.get('schema')!r}; expected {SCHEMA}")
    return manifest


def _read(folder: Path, digest: str | None) -> dict[str, Any]:
    path = folder / NAME
    if path.is_symlink() or not path.is_file():
        raise TamperedArtifact(f"{folder} holds no artifact: {NAME} is missing")
    return parse(path.read_bytes(), digest, folder)


def _files(folder: Path) -> list[str]:
    """Relative paths of all files, sorted. A link could lead outside of what the digests cover: ValueError."""
    names = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ValueError(
                f"{path.relative_to(folder)} in {folder} is a link or device; an artifact holds files only"
            )
        if path.is_file():
            names.append(path.relative_to(folder).as_posix())
    return names


def digest_of_file(path: Path, sync: bool = False) -> str:
    """The digest of a file, which is on disk then if `sync`."""
    with path.open("rb") as file:
        if sync:
            os.fsync(file.fileno())
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def sha256(content: bytes) -> str:
    """The digest of some bytes."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
